# docs/figures/agreement.svg: gnuplot docs/figures/agreement.gp
# Kendall's tau with the LLM's own ranking by LLM encodings, the mean over the four data sets of
# README.md's table (models/README.md has the command, the intervals and the machine).
set terminal svg size 760,330 font "Helvetica,14" background rgb "white"
set output "docs/figures/agreement.svg"
set title "How near to the LLM's own ranking? 20 candidates, 160 test requests" font ",15"
set xlabel "LLM encodings, the prompt's included"
set ylabel "Kendall's tau"
set xrange [0.8:4.25]
set yrange [0.78:1.01]
set xtics 1
set grid ytics lc rgb "#dddddd"
set key off
set label "19 encodings, one candidate at a time: 1.00" at 0.86,0.984 tc rgb "#555555"
set arrow from 0.8,1.0 to 4.25,1.0 nohead dt 2 lc rgb "#555555"
set label "rsd" at 4.06,0.975 tc rgb "#1f5fb4"
set label "speculative decoding" at 3.2,0.845 tc rgb "#b4541f"
$rsd << EOD
1 0.9125
2 0.955
3 0.9825
4 0.99
EOD
$sd << EOD
1 0.8225
2 0.84
3 0.8625
4 0.8825
EOD
plot $rsd with linespoints lw 2.5 pt 7 ps 0.8 lc rgb "#1f5fb4", \
     $sd with linespoints lw 2.5 pt 5 ps 0.7 lc rgb "#b4541f"
