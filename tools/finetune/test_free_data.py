"""The readers and the makers of training requests, on small texts in the formats of the packages."""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path

import free_data
import pytest
from free_data import (
    CARRIERS,
    INDEX,
    KINDS,
    N_CANDIDATES,
    Bm25,
    Pool,
    Texts,
    claim,
    make,
    paraphrase,
    passage,
    sole_synonyms,
    without,
)
from free_texts import (
    chunks,
    clean_title,
    cut,
    definition,
    is_english,
    read_descriptions,
    read_dictionary,
    read_manual,
    read_pod,
    read_sections,
    read_synsets,
)

# Reading


def test_html_sections_have_their_parents_and_no_code_or_navigation():
    html = """<html><head><title>No</title></head><body><div class="navheader"><p>Previous page, next page.</p></div>
    <h1>Chapter 3. Files</h1><p>Files are <em>named</em> sequences of bytes.</p>
    <div class="toc"><p>3.1. What is listed here is no text.</p></div>
    <h2><a>3.1. Reading a file¶</a></h2><pre>open("x").read()</pre><p>Open it, then read from it.</p>
    <h2>Writing</h2><ul><li>The first way is to append to it.</li></ul></body></html>"""
    sections = read_sections(html)
    assert [(s.title, s.parents) for s in sections] == [
        ("Files", []), ("Reading a file", ["Files"]), ("Writing", ["Files"])
    ]  # fmt: skip
    assert [s.paragraphs for s in sections] == [
        ["Files are named sequences of bytes."], ["Open it, then read from it."], ["The first way is to append to it."]
    ]  # fmt: skip


def test_bold_numbered_paragraphs_are_questions():
    [section] = read_sections(
        "<p><b>(7) How do I list all tables?</b></p><blockquote>Query the table of tables.</blockquote>"
    )
    assert (section.title, section.paragraphs) == (
        "How do I list all tables?",
        ["Query the table of tables."],
    )


def test_titles_lose_their_numbers():
    assert clean_title("8.1.2. The tools¶") == "The tools"
    assert clean_title("Appendix B. Time zones") == "Time zones"
    assert clean_title("json — Encoder and decoder") == "Encoder and decoder"
    assert clean_title("3D graphics") == "3D graphics"


def test_pod_is_read_without_its_markup_and_code():
    text = "=head1 NAME\n\nx - y\n\n=head2 Why is C<int()> B<I<broken>>?\n\nSee L<the list|perlop/list> for what\nit does.\n\n    code();\n"
    found = read_pod(text)
    assert [(s.title, s.parents) for s in found] == [
        ("NAME", []),
        ("Why is int() broken?", ["NAME"]),
    ]
    assert found[1].paragraphs == ["See the list for what it does."]


def test_a_manual_page_of_man_macros():
    page = r""".TH CUT 1
.SH NAME
cut \- remove sections from each line of files
.SH DESCRIPTION
.PP
Print selected parts of lines from each FILE to \fBstandard output\fR.
.TP
\fB\-b\fR, \fB\-\-bytes\fR=\fI\,LIST\/\fR
select only
these bytes
.PP
\-a, \-\-annotate
.RS 4
Make an unsigned object\&.
.RE
.SH AUTHOR
Nobody at all, said twice.
"""
    manual = read_manual(page)
    assert (manual.name, manual.summary) == ("cut", "remove sections from each line of files")
    assert manual.description == [
        "Print selected parts of lines from each FILE to standard output."
    ]
    assert manual.options == [
        ("-b, --bytes=LIST", "select only these bytes"),
        ("-a, --annotate", "Make an unsigned object."),
    ]


def test_a_manual_page_of_mdoc_macros():
    page = """.Dd August 21, 2019
.Sh NAME
.Nm ahci
.Nd Serial ATA driver
.Sh DESCRIPTION
The
.Nm
driver reads
.Xr loader.conf 5 ,
which
.Dq must exist .
.Bd -literal
hint="1"
.Ed
"""
    manual = read_manual(page)
    assert (manual.name, manual.summary) == ("ahci", "Serial ATA driver")
    assert manual.description == ['The ahci driver reads loader.conf(5), which "must exist".']
    assert read_manual("no page") is None


def test_dictionary_entries_are_found_by_their_base_64_offsets():
    data = "é. KILO, n.  A thousand.\n\nkilt\n n.\n\n    A skirt.\n".encode()
    first = data.index(b"KILO")
    second = data.index(b"kilt")
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    index = f"00info\tA\tB\nkilo\t{digits[first]}\t{digits[second - first]}\nkilt\t{digits[second]}\tX\n"
    entries = read_dictionary(index, data)
    assert entries == [
        ("kilo", "KILO, n.  A thousand.\n\n"),
        ("kilt", "kilt\n n.\n\n    A skirt.\n"),
    ]
    assert [definition(entry, word) for word, entry in entries] == ["A thousand.", "A skirt."]


def test_a_definition_is_the_first_meaning_without_sources():
    entry = "\n\nJust \\Just\\, a. [F. juste, L. justus, fr. jus [right]. See {Jury}.]\n   1. Upright; fair. [Obs.] --Chaucer.\n   2. Exact.\n"
    assert definition(entry, "Just") == "Upright; fair."
    assert definition(entry, "Justice") == ""


def test_wordnet_lines_are_synsets():
    line = '00002137 05 n 02 dog 0 domestic_dog(p) 0 002 @ 00001740 n 0000 ~ 00023100 n 0000 | a kept animal; barks; "the dog barked all night"\n'
    [synset] = read_synsets("  1 licence text\n" + line, "n")
    assert (synset.key, synset.lemmas, synset.gloss) == (
        "n00002137",
        ["dog", "domestic dog"],
        "a kept animal; barks",
    )
    assert (synset.examples, synset.hypernyms, synset.field) == (
        ["the dog barked all night"],
        ["n00001740"],
        5,
    )


def test_descriptions_are_joined_and_lists_left_out():
    packages = "Package: tool\nSource: tools (1.0)\nSection: utils\nTag: use::editing, role::program\nDescription-md5: 0a\n\nPackage: none\n"
    translations = "Package: tool\nDescription-md5: 0a\nDescription-en: edits files\n It edits\n files.\n .\n  * not this\n .\n Quickly.\n"
    [found] = read_descriptions(packages, translations)
    assert (found.name, found.source, found.section, found.synopsis) == (
        "tool",
        "tools",
        "utils",
        "edits files",
    )
    assert (found.tags, found.text) == (
        ["use::editing", "role::program"],
        "It edits files. Quickly.",
    )


def test_texts_are_cut_at_sentences_and_short_paragraphs_joined():
    assert cut("One is here. Two is there. Three is long.", 28) == "One is here. Two is there."
    assert cut("nothing but words", 12) == "nothing but"
    short, long = (
        "This is the first of the words that we have.",
        "And this is a long one of those. " * 30,
    )
    [joined, rest] = chunks([short, short + " Again.", long.strip()])[:2]
    assert joined.startswith(short) and joined.endswith("Again.")
    assert len(rest) <= 500 and rest.endswith(".")


def test_english_is_told_from_tables_and_other_languages():
    assert is_english("The program writes the names of all files that it has read to a list.")
    assert not is_english(
        "Das Programm schreibt die Namen aller Dateien, die gelesen wurden, in eine Liste hinein."
    )
    assert not is_english("0x00 0x01 0x02 0x03 | 12 13 14 15")
    assert not is_english("Программа")


# Words


def test_bm25_prefers_rare_words_and_short_texts():
    index = Bm25(
        [
            "red fox runs",
            "red dog runs",
            "red fox runs through fields of grain every morning",
            "blue",
        ]
    )
    assert index.nearest("fox", 3) == [0, 2]
    assert index.nearest("a red dog", 9)[0] == 1
    assert index.nearest("unknown", 3) == []


def test_questions_keep_their_subject_in_other_words():
    seen = {paraphrase(random.Random(seed), "How do I split a large file?") for seed in range(40)}
    assert len(seen) > 8
    assert all("file" in text and text != "How do I split a large file?" for text in seen)
    assert any(text.endswith(": how?") for text in seen)


def test_claims_stand_alone_and_differ_from_the_sentence():
    rng = random.Random(1)
    assert (
        claim(rng, "If the file is locked, the program must wait for the other one.", {})
        is not None
    )
    sentence = "The directive specifies multiple directories that contain the certificates of the authorities."
    said = claim(rng, sentence, {})
    assert said and said != sentence and "certificates" in said
    assert (
        claim(
            rng,
            "This contains multiple names that are used by the certificates of the authorities.",
            {},
        )
        is None
    )
    assert (
        claim(rng, "Blue whales swim through green water along rocky northern shores.", {}) is None
    )


def test_words_of_one_meaning_have_sole_synonyms():
    lines = "\n".join(
        f"0000000{n} 05 n 02 {one} 0 {other} 0 000 | some thing"
        for n, (one, other) in enumerate(
            [("couch", "sofa"), ("bank", "shore"), ("bank", "institute")]
        )
    )
    assert sole_synonyms(read_synsets(lines, "n")) == {
        "couch": "sofa", "sofa": "couch", "shore": "bank", "institute": "bank"
    }  # fmt: skip


def test_names_are_masked_however_they_are_written():
    assert (
        without("Foo reads what foo-bar and FOO wrote; food too", ["foo", "foo-bar"])
        == "… reads what … and … wrote; food too"
    )
    assert without("foo, a small reader", ["foo"], "") == ", a small reader"


# Requests


def small_pool() -> Pool:
    subjects = ["cats", "dogs", "boats", "trains", "rivers", "hills"]
    texts = [
        f"A text about {s} and number {n} of what they do." for s in subjects for n in range(6)
    ]
    return Pool(texts, [text.split()[3] for text in texts])


def test_a_request_holds_the_right_text_once_and_no_others_of_its_group():
    pool = small_pool()
    requests = [
        passage(random.Random(seed), pool, "tell me of boats", {12: "boats, in other words"})
        for seed in range(100)
    ]
    nothing = [r for r in requests if not r["relevance"]]
    assert 3 <= len(nothing) <= 20
    for request in requests:
        texts = [c["text"] for c in request["candidates"]]
        assert len(texts) == len(set(texts)) == N_CANDIDATES
        assert not any("boats and" in text for text in texts)
        relevant = [c["text"] for c in request["candidates"] if request["relevance"].get(c["id"])]
        assert relevant == ([] if request in nothing else ["boats, in other words"])
    places = {next(iter(r["relevance"])) for r in requests if r["relevance"]}
    assert len(places) > 10, "the right one stands anywhere"


def test_a_query_that_stands_in_its_text_makes_no_request():
    assert (
        passage(random.Random(1), small_pool(), "about boats", {12: "A text about Boats."}) is None
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        gzip.compress(text.encode()) if path.suffix in (".gz", ".dz") else text.encode()
    )


ADJECTIVES = [
    "red",
    "green",
    "quick",
    "silent",
    "heavy",
    "narrow",
    "bright",
    "frozen",
    "hollow",
    "gentle",
]
NOUNS = [
    "river",
    "engine",
    "garden",
    "letter",
    "window",
    "market",
    "bridge",
    "signal",
    "forest",
    "ladder",
]


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """Packages of each format, with made-up texts."""
    folder = tmp_path_factory.mktemp("packages")
    pairs = [(a, n) for a in ADJECTIVES for n in NOUNS]
    synsets = []
    for number, (a, n) in enumerate(pairs):
        head = (
            f"{number + 1000:08} 05 n 02 {n}let{number} 0 {a}_{n} 0 001 @ {number // 10:08} n 0000"
        )
        synsets.append(
            f'{head} | a kind of thing which is {a} like the {n}; "we saw the {a} {n} in town"'
        )
    tops = [f"{n:08} 05 n 01 top{n} 0 000 | a class of such things" for n in range(10)]
    write(folder / "wordnet-base/usr/share/wordnet/data.noun", "\n".join(tops + synsets))
    write(
        folder / "wordnet-base/usr/share/wordnet/data.verb",
        "00000001 30 v 02 move 0 print 0 000 | to go or put elsewhere\n",
    )
    rng = random.Random(7)
    invented = [
        "".join(rng.choices("bdfgklmnprst", k=1) + rng.choices("aeiou", k=1))[0:2]
        for _ in range(60)
    ]

    def some() -> str:
        return " ".join("".join(rng.choices(invented, k=3)) for _ in range(4))

    books = (
        ("apache2-doc", "manual/en/x.html", pairs[:50]),
        ("harden-doc", "html/en-US/y.html", pairs[50:]),
    )
    for package, path, subjects in books:
        body = "".join(
            f"<h2>{'How do I move' if number % 3 else 'Moving'} the {a} {n}{'?' if number % 3 else ''}</h2>"
            f"<p>The {a} {n} is moved by a machine that contains multiple {some()} and has the number {number}. "
            f"Whoever wants to repair its {n} with {some()} must ask for the {some()} of the house. "
            f"Nobody has ever seen the {n} return from {some()} without any {some()}.</p>"
            for number, (a, n) in enumerate(subjects)
        )
        write(
            folder / package / "usr/share/doc" / package / path,
            f"<h1>All about {package} things</h1>{body}",
        )
    for number, (a, n) in enumerate(pairs[:40]):
        page = (
            f".TH X 1\n.SH NAME\n{a}{n} \\- print the {a} {n} of a file\n.SH DESCRIPTION\nThis program will print the {a} {n} "
            f"that it has found in the file with the number {number} to the standard output.\n"
            f".TP\n\\-\\-{n}\nput the {n} of all {a} files with the number {number} there\n"
            f".TP\n\\-\\-not\\-{a}\nleave out what is not {a} or was found by the number {number} there\n"
        )
        write(folder / f"coreutils/usr/share/man/man1/{a}{n}.1.gz", page)
    for package in ("dict-gcide", "dict-foldoc"):
        data, index = "", ""
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for number, (a, n) in enumerate(pairs[:60]):
            entry = f"{n}let{number}\n n.\n\n   A {a} thing that reminds people of the old {n} beside house {number}.\n\n"
            start, length = len(data), len(entry)
            encoded = [
                digits[v // 64 // 64] + digits[v // 64 % 64] + digits[v % 64]
                for v in (start, length)
            ]
            index += f"{n}let{number}\t{encoded[0]}\t{encoded[1]}\n"
            data += entry
        name = package.removeprefix("dict-")
        write(folder / f"{package}/usr/share/dictd/{name}.index", index)
        write(folder / f"{package}/usr/share/dictd/{name}.dict.dz", data)
    stanzas, translations = [], []
    for number, (a, n) in enumerate(pairs):
        tags = f"use::{a}, works-with::{n}, field::all"
        stanzas.append(
            f"Package: tool{number}\nSection: utils\nTag: {tags}\nDescription-md5: {number}"
        )
        text = f" Tool{number} draws each {n} that has been {a} since the year {number}.\n It wants a {a} pen and paper number {number} for the {n}."
        translations.append(
            f"Package: tool{number}\nDescription-md5: {number}\nDescription-en: {a} {n} drawing program\n{text}"
        )
    write(folder / INDEX / "Packages", "\n\n".join(stanzas))
    write(folder / INDEX / "Translations", "\n\n".join(translations))
    (folder / "debs").mkdir()
    (folder / "debs/wordnet-base_1%3a3.0-37_all.deb").touch()
    return folder


@pytest.fixture(scope="module")
def texts(packages: Path) -> Texts:
    return Texts(packages)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_makes_requests_that_the_trainer_reads(kind: str, texts: Texts):
    requests = make(kind, texts, 25, seed=1)
    assert len(requests) >= 15
    assert len({json.dumps(r.get("query", r.get("history"))).lower() for r in requests}) == len(
        requests
    )
    for request in requests:
        candidates = {c["id"]: c["text"] for c in request["candidates"]}
        assert 4 <= len(candidates) <= N_CANDIDATES
        assert len(set(candidates.values())) == len(candidates) == len(request["candidates"])
        assert set(request["relevance"]) <= set(candidates)
        assert set(request["relevance"].values()) <= {1}
        if request["task"] == "passage":
            assert min(map(len, candidates.values())) >= 20
            relevant = [candidates[i].lower() for i in request["relevance"]]
            assert not any(request["query"].lower() in text for text in relevant)
        else:
            assert 5 <= len(request["history"]) <= 20
            assert not set(request["history"]) & set(candidates.values())
    assert requests == make(kind, texts, 25, seed=1)
    assert requests != make(kind, texts, 25, seed=2)


def test_the_program_writes_files_and_what_they_are_made_of(
    packages: Path, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", [
        "free_data.py", "--packages", str(packages), "--out", str(tmp_path), "--limit", "5", "--kinds", "wordnet", "docs"
    ])  # fmt: skip
    free_data.main()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "docs-train.jsonl",
        "sources.json",
        "wordnet-train.jsonl",
    ]
    requests = [
        json.loads(line) for line in (tmp_path / "docs-train.jsonl").read_text("utf-8").splitlines()
    ]
    assert [r["id"] for r in requests] == [f"docs-{n}" for n in range(5)]
    sources = {s["package"]: s for s in json.loads((tmp_path / "sources.json").read_text("utf-8"))}
    assert sources["wordnet-base"]["version"] == "1:3.0-37"
    assert "perl-doc" not in sources, "it was not there"
    assert "wordnet: 5 requests" in capsys.readouterr().out


def test_each_carrier_has_a_licence_and_a_pattern_within_it():
    for carrier in CARRIERS.values():
        assert carrier.licence and carrier.taken
        assert re.match(r"usr/", carrier.pattern)
