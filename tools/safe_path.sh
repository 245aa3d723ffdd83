# Sourced by our scripts before they start a program.
#
# Takes relative and empty entries and the current folder out of PATH, and Python's own search paths
# away: what lies in a folder that somebody cloned or unpacked is not ours to run. Uses nothing but
# bash itself. Python is started with -I, for modules (-m) and scripts from standard input.

rsd_safe_path() {
  local kept='' rest=$PATH: entry
  while [[ -n $rest ]]; do
    entry=${rest%%:*}
    rest=${rest#*:}
    if [[ $entry == /* && ! $entry -ef . ]]; then kept+=${kept:+:}$entry; fi
  done
  export PATH=$kept
  unset PYTHONPATH PYTHONHOME PYTHONSTARTUP # -I doesn't reach what Python starts in its turn
}
rsd_safe_path
