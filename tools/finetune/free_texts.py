"""Readers of the texts that Debian packages carry: HTML, manual pages, POD, dictionaries, WordNet, descriptions."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

MIN_CHARS, SHORT_CHARS, MAX_CHARS = (
    20,
    200,
    500,
)  # of a candidate: at least, better at least, at most
STOP_WORDS = frozenset(
    "a about after all also an and any are as at be because been before being both but by can cannot could did do does "
    "doing down each either for from had has have having he her here his how i if in into is it its itself just like "
    "may me might more most must my no nor not of off on once one only or other our out over own same shall she should "
    "so some such than that the their them then there these they this those through to too under until up upon use "
    "used using very via was we were what when where whether which while who whom whose why will with within without "
    "would you your".split()
)


def squeezed(text: str) -> str:
    return " ".join(text.split())


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def content_words(text: str) -> list[str]:
    return [w for w in words(text) if w not in STOP_WORDS and len(w) > 1]


def is_english(text: str) -> bool:
    """Mostly ASCII and, if it is long, with the little words of English."""
    if sum(c.isascii() for c in text) < 0.95 * len(text):
        return False
    if sum(c.isalpha() or c.isspace() for c in text) < 0.75 * len(text):
        return False  # tables, code
    return len(text) < 60 or sum(w in STOP_WORDS for w in words(text)) >= 2


def sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(`])", text) if s]


def cut(text: str, limit: int = MAX_CHARS) -> str:
    """The first sentences that fit; where not even one does, the first words."""
    kept = ""
    for sentence in sentences(text):
        if len(kept) + 1 + len(sentence) > limit:
            break
        kept = f"{kept} {sentence}".strip()
    return kept or text[:limit].rsplit(" ", 1)[0]


def chunks(paragraphs: list[str]) -> list[str]:
    """Paragraphs joined while they are short, and cut where they are long."""
    result: list[str] = []
    for paragraph in paragraphs:
        if (
            result
            and len(result[-1]) < SHORT_CHARS
            and len(result[-1]) + len(paragraph) < MAX_CHARS
        ):
            result[-1] += f" {paragraph}"
        else:
            result.append(cut(paragraph))
    return [
        text for text in result if len(text) >= 60 and is_english(text) and text.count("://") < 2
    ]


def read_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    # .gz, and .dz, which is the same with an index
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def read_text(path: Path) -> str:
    return read_bytes(path).decode("utf-8", "replace")


# HTML


@dataclass
class Section:
    title: str
    parents: list[str]  # titles of the sections around it, the outermost first
    paragraphs: list[str] = field(default_factory=list)


class SectionParser(HTMLParser):
    """Headings and the paragraphs under them, without code, tables and navigation."""

    BLOCKS = frozenset(
        ("p", "li", "dd", "blockquote", "div", "section", "ul", "ol", "dl", "dt", "table", "br")
    )
    SKIPPED = frozenset(("pre", "script", "style", "nav", "table", "sup", "dt", "footer", "head"))
    FURNITURE = re.compile(
        r"\b(toc|contents|sphinxsidebar\w*|related|footer|navheader|navfooter|menu|headerlink|langs|toplang|bottomlang"
        r"|section-quickview|quickview|versionmodified|highlight\S*|indexterm|fancy_toc|menubar|searchmenu)\b"
    )

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[Section] = []
        self._text: list[str] = []
        self._heading = ""  # the tag of the heading that is open
        self._titles: list[tuple[int, str]] = []
        self._skipping: tuple[str, int] | None = None  # tag, depth

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if self._skipping:
            if tag == self._skipping[0]:
                self._skipping = (tag, self._skipping[1] + 1)
            return
        classes = dict(attributes).get("class") or ""
        is_container = tag in ("div", "ul", "ol", "dl", "a", "span", "p")
        if tag in self.SKIPPED or (is_container and self.FURNITURE.search(classes)):
            self._skipping = (tag, 1)
        elif re.fullmatch(r"h[1-6]", tag):
            self._end_paragraph()
            self._heading = tag
        elif tag in self.BLOCKS and not self._heading:
            self._end_paragraph()

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag == self._skipping[0]:
                depth = self._skipping[1] - 1
                self._skipping = (tag, depth) if depth else None
        elif tag == self._heading:
            self._begin_section(int(tag[1]), clean_title("".join(self._text)))
        elif tag in self.BLOCKS and not self._heading:
            self._end_paragraph()

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._text.append(data)

    def close(self) -> None:
        super().close()
        self._end_paragraph()

    def _begin_section(self, level: int, title: str) -> None:
        self._text, self._heading = [], ""
        self._titles = [(n, t) for n, t in self._titles if n < level]
        self.sections.append(Section(title, [t for _, t in self._titles]))
        self._titles.append((level, title))

    def _end_paragraph(self) -> None:
        text = squeezed("".join(self._text))
        self._text = []
        if re.match(r"Copyright\b|Licen[cs]ed under", text):
            return
        if len(text) >= MIN_CHARS and self.sections and re.search(r"[.:;!?)]$", text):
            self.sections[-1].paragraphs.append(text)


def clean_title(text: str) -> str:
    text = squeezed(text.replace("¶", ""))
    text = re.sub(
        r"^((Chapter|Appendix|Section)\s+\w+\.?\s+|[A-Z]?\d*(\.\d+)*\.?\s+(?=\S)|\(\d+\)\s*)",
        "",
        text,
    )
    return re.sub(
        r"^\w+ — ", "", text
    ).strip()  # "json — JSON encoder": the module's name is not English


def read_sections(html: str) -> list[Section]:
    parser = SectionParser()
    # SQLite's questions are bold paragraphs.
    parser.feed(re.sub(r"<p><b>\((\d+)\)(.*?)</b></p>", r"<h4>\2</h4>", html, flags=re.S))
    parser.close()
    return [s for s in parser.sections if s.title]


# POD, the format of Perl's documentation


def read_pod(text: str) -> list[Section]:
    found: list[Section] = []
    parents: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        heading = re.match(r"=head([1-4]) (.*)", paragraph, re.S)
        if heading:
            level = int(heading[1])
            title = clean_title(plain_pod(heading[2]))
            parents = [*parents[: level - 1], title]
            found.append(Section(title, parents[:-1]))
        elif found and paragraph[:1] not in ("=", " ", "\t", ""):
            plain = squeezed(plain_pod(paragraph))
            if len(plain) >= MIN_CHARS:
                found[-1].paragraphs.append(plain)
    return found


def plain_pod(text: str) -> str:
    text = re.sub(r"\bE<(lt|gt)>", lambda m: {"lt": "\0", "gt": "\1"}[m[1]], text)
    text = re.sub(r"\b[BCFILSX]<< (.*?) >>", r"\1", text)
    for _ in range(3):  # nested
        text = re.sub(r"\bL<([^<>|]*)\|[^<>]*>", r"\1", text)
        text = re.sub(r"\b[BCFILSX]<([^<>]*)>", r"\1", text)
    return text.replace("\0", "<").replace("\1", ">")


# Manual pages


@dataclass
class Manual:
    name: str
    summary: str
    description: list[str]
    options: list[tuple[str, str]]  # "-a, --all" and what it does


ROFF = [
    (r"\\f(\[\w*\]|\(..|.)", ""), (r"\\\*\((Lq|Rq)|\\\(([lr]q|dq)", '"'), (r"\\\((cq|aq|oq)", "'"), (r"\\(&|/|,|:|%|\||\^|s[-+]?\d)", ""),
    (r"\\-", "-"), (r"\\\(em|\\\(en", "-"), (r"\\e", r"\\"), (r"\\~|\\ ", " "), (r"\\\(..|\\\[\w+\]|\\\*\(..|\\c", ""),
]  # fmt: skip
MDOC_QUOTES = {"Dq": '"', "Sq": "'", "Ql": "'", "Pq": "()", "Qq": '"'}
MDOC_INLINE = frozenset(
    "Fl Ar Xr Nm Va Vt Fn Fa Pa Ev Cm Li Em Sy Tn Dv Er Ic Bx Fx Nx Ox No Ns Ad Cd Sx St At Ux Dq Sq Ql Pq Qq Ft In".split()
)


def plain_roff(text: str) -> str:
    for pattern, replacement in ROFF:
        text = re.sub(pattern, replacement, text)
    return squeezed(text)


def mdoc_line(line: str, name: str) -> str:
    """A line of mdoc macros as text: `.Fl a Ar file ,` is "-a file,"."""
    tokens = line[1:].split()
    result, macro = "", ""
    closing = ""
    for token in tokens:
        token = token.strip('"')
        if token in MDOC_INLINE:
            macro = token
            if token == "Nm":
                result += f" {name}"
            if token in MDOC_QUOTES:
                marks = MDOC_QUOTES[token]
                result, closing = f"{result} {marks[0]}", marks[-1]
            continue
        if re.fullmatch(r"[.,;:)\]]+", token):
            result, closing = result + closing + token, ""
        elif macro == "Xr" and re.fullmatch(r"\d\w*", token):
            result += f"({token})"
        elif macro == "Nm" and token != name:
            result = result.removesuffix(f" {name}") + f" {token}"
        elif macro != "Nm":
            separator = "" if result[-1:] in ("(", "'", '"') and closing else " "
            result += (
                f"{separator}{'-' if macro == 'Fl' else ''}{token}{'()' if macro == 'Fn' else ''}"
            )
            macro = "" if macro == "Fn" else macro
    return (result + closing).strip()


def read_manual(text: str) -> Manual | None:
    """What the sections NAME, DESCRIPTION and OPTIONS say, of man and mdoc pages."""
    name, summary = "", ""
    paragraphs: list[str] = [""]
    options: list[tuple[str, str]] = []
    section, label, takes_label, literal = "", "", False, False

    def end() -> None:
        nonlocal label
        body = plain_roff(paragraphs[-1])
        if label and body:
            options.append((label, body))
            label, paragraphs[-1] = "", ""
        elif paragraphs[-1]:
            paragraphs.append("")

    for line in text.splitlines():
        macro = re.match(r"\.\s*([A-Za-z]+)", line)
        kind = macro[1] if macro else ""
        if line.startswith(('.\\"', "'\\\"", "'")):
            continue
        if kind in ("SH", "Sh"):
            end()
            section, label, literal = line.split(None, 1)[-1].strip('" ').upper(), "", False
        elif section == "NAME":
            if kind == "Nd":
                summary = plain_roff(line[4:])
            elif kind == "Nm" and not name:
                name = line[4:].split(" ,")[0].strip()
            elif not kind and " \\- " in line:
                name, summary = map(plain_roff, line.split(" \\- ", 1))
        elif section in ("DESCRIPTION", "OPTIONS"):
            if kind in ("nf", "Bd", "EX", "TS"):
                literal = True
            elif kind in ("fi", "Ed", "EE", "TE"):
                literal = False
                end()
            elif literal:
                continue
            elif kind in (
                "PP",
                "TP",
                "P",
                "LP",
                "sp",
                "Pp",
                "IP",
                "RE",
                "RS",
                "SS",
                "Ss",
                "It",
                "El",
            ):
                end()
                if kind == "It":
                    label = mdoc_line("." + line[4:], name)
                    label = label if label.startswith("-") else ""
                elif kind not in ("RS", "sp"):
                    label = ""
                takes_label = kind in ("TP", "PP")
            elif kind in MDOC_INLINE:
                paragraphs[-1] += " " + mdoc_line(line, name)
            elif kind in ("B", "I", "BR", "IR", "RB", "BI", "RI", "IB") or not line.startswith("."):
                body = line.split(None, 1)[-1] if kind else line
                if takes_label and plain_roff(body).startswith("-") and len(body) < 120:
                    label = plain_roff(body)
                else:
                    paragraphs[-1] += " " + body.replace('"', "") if kind else " " + line
                takes_label = False
    end()
    description = [plain for plain in map(plain_roff, paragraphs) if len(plain) >= MIN_CHARS]
    return Manual(name.split(",")[0], summary, description, options) if name and summary else None


# Dictionaries in dictd's format


def read_dictionary(index: str, data: bytes) -> list[tuple[str, str]]:
    """Headwords and what stands under each."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    def number(digits: str) -> int:
        value = 0
        for digit in digits:
            value = 64 * value + alphabet.index(digit)
        return value

    entries = []
    for line in index.splitlines():
        fields = line.split("\t")
        if len(fields) >= 3 and not fields[0].startswith("00"):
            start = number(fields[1])
            entries.append(
                (fields[0], data[start : start + number(fields[2])].decode("utf-8", "replace"))
            )
    return entries


def definition(entry: str, word: str) -> str:
    """The first meaning that an entry gives, without pronunciation, markup and sources; "" if the entry is another
    word's, which mentions this one."""
    text = entry.strip()
    if not re.match(re.escape(word) + r"(\s|,)", text, re.I):
        return ""
    text = text[len(word) :]
    while re.search(r"\[[^\[\]]*\]", text):  # nested
        text = re.sub(r"\[[^\[\]]*\]", " ", text)
    text = re.sub(
        r"\\[^\\]*\\|<[^<>]*>|[{}]|--[A-Z][\w.]*( [A-Z][\w.]*)*|\(\d{4}-\d\d-\d\d\)", "", text
    )
    text = re.sub(r"(?m)^(Symbol|Atomic number|Atomic weight):.*$", "", text)
    text = re.split(r"\s(?:2\.|\(b\))\s|\bSyn:|\bNote:", squeezed(text))[0]
    text = re.sub(
        r"^\s*(/[^/]*/|\([^()]{1,40}\)(?=\s*,))?[\s,;]*((n|v|a|vt|vi|adj|adv|interj|pref|suff|v\. ?[ti]|p\. ?(a|p)|prop)\.[\s,;]*)*",
        "",
        text,
    )
    text = re.sub(r"^(1\.|\(a\)|\s)+", "", text)
    text = re.sub(r"^[A-Z]\w+, (n|a|v\. [ti])\. ", "", text)  # spelled otherwise
    return re.sub(r"(?<!\.)\.\.(?!\.)", ".", re.sub(r"\s+([.,;])", r"\1", text)).strip()


# WordNet


@dataclass
class Synset:
    key: str
    pos: str
    lemmas: list[str]
    gloss: str  # the definition alone
    examples: list[str]
    hypernyms: list[str]
    field: int  # WordNet's file, such as noun.animal


def read_synsets(text: str, pos: str) -> list[Synset]:
    """The lines of one of WordNet's data files."""
    found = []
    for line in text.splitlines():
        if not line[:1].isdigit():
            continue
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        n_words = int(fields[3], 16)
        lemmas = [
            re.sub(r"\(\w+\)$", "", w).replace("_", " ") for w in fields[4 : 4 + 2 * n_words : 2]
        ]
        pointers = fields[5 + 2 * n_words :]
        hypernyms = [
            pos + pointers[i + 1]
            for i in range(0, 4 * int(fields[4 + 2 * n_words]), 4)
            if pointers[i] in ("@", "@i")
        ]
        examples = re.findall(r'"([^"]{15,120})"', gloss)
        meaning = squeezed(re.split(r';\s*"|"', gloss)[0]).strip("; ")
        found.append(
            Synset(pos + fields[0], pos, lemmas, meaning, examples, hypernyms, int(fields[1]))
        )
    return found


# Debian's package descriptions


@dataclass
class Description:
    name: str
    source: str
    section: str
    tags: list[str]
    synopsis: str
    text: str


def stanzas(text: str) -> list[dict[str, str]]:
    found = []
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line[:1] in (" ", "\t"):
                fields[name] = fields.get(name, "") + "\n" + line[1:]
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            found.append(fields)
    return found


def read_descriptions(packages: str, translations: str) -> list[Description]:
    """Packages with their long descriptions, which the index keeps in a file of their own."""
    long = {
        t["Description-md5"]: t["Description-en"]
        for t in stanzas(translations)
        if "Description-en" in t
    }
    found: dict[str, Description] = {}
    for package in stanzas(packages):
        text = long.get(package.get("Description-md5", ""))
        if text and package["Package"] not in found:
            synopsis, _, rest = text.partition("\n")
            # Lines that begin with a further blank are lists and code.
            paragraphs = [
                p
                for p in re.split(r"\n\.(?:\n|$)", rest)
                if not re.search(r"^ |^\s*[*-] ", p, re.M)
            ]
            tags = re.findall(r"[\w-]+::[\w:+-]+", package.get("Tag", ""))
            source = package.get("Source", package["Package"]).split()[0]
            found[package["Package"]] = Description(
                package["Package"],
                source,
                package.get("Section", ""),
                tags,
                synopsis,
                squeezed(" ".join(paragraphs)),
            )
    return list(found.values())
