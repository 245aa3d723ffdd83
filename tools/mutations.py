"""The mutants of a C++ source: copies with one small fault each, found by pattern.

Nothing is parsed: a pattern sees the code without comments, literals, preprocessor lines and checks of
invariants (RSD_CHECK), which tests can't make fail. A mutant that does not compile is no harm; the
driver, tools/mutants.py, reports it as such.
"""

import dataclasses
import os
import re
from collections.abc import Iterator

Edit = tuple[int, int, str]  # start and end in the text, and what stands there instead

HIDDEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*|\[\[\w+\]\]'
    r'|R"(?P<mark>[^\s()\\]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'", re.DOTALL | re.MULTILINE)
INVARIANT = re.compile(r"\b(?:RSD_CHECK|static_assert|template)\s*[(<]")
OPENING, CLOSING = "([{", ")]}"
WORD = r"[A-Za-z_]\w*"
KEYWORDS = frozenset(
    "auto break case catch class co_return const constexpr continue default delete do else enum explicit "
    "for friend goto if namespace new operator private public return sizeof static struct switch "
    "template throw try typedef typename using virtual while".split())
# Statements without an effect that a test could see.
UNSEEN = re.compile(r"(?:\.|->)(?:reserve|shrink_to_fit)\(")
RELATIONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/"}
TWINS = {"min": "max", "max": "min", "first": "last", "last": "first", "front": "back", "back": "front",
         "true": "false", "false": "true"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A fault in a file: text[start:end] becomes `new`. `before` and `after` are its lines, joined."""
    file: str
    line: int
    operator: str
    before: str
    after: str
    start: int
    end: int
    new: str
    last_line: int

    def applied_to(self, text: str) -> str:
        return text[:self.start] + self.new + text[self.end:]


def _blanked(text: str, fill: str) -> str:
    return re.sub(r"[^\n]", fill, text)


def code_of(text: str) -> str:
    """`text` at the same length with everything blank that no mutant may touch; literals become quotes."""
    code = HIDDEN.sub(lambda match: _blanked(match[0], '"' if match[0][0] in "\"'R" else " "), text)
    pieces, done = [], 0
    for match in INVARIANT.finditer(code):
        angled = match[0].endswith("<")
        end = _closing(code, match.end() - 1, "<" if angled else OPENING, ">" if angled else CLOSING)
        if end is not None and match.start() >= done:
            pieces += [code[done:match.start()], _blanked(code[match.start():end + 1], " ")]
            done = end + 1
    return "".join([*pieces, code[done:]])


def _closing(code: str, start: int, opening: str = OPENING, closing: str = CLOSING) -> int | None:
    """Where the bracket at `start` is closed."""
    depth = 0
    for at in range(start, len(code)):
        depth += (code[at] in opening) - (code[at] in closing)
        if depth == 0:
            return at
    return None


def _end_at(code: str, start: int, stops: str) -> int | None:
    """The first of `stops` outside of all brackets opened since `start`; None where one closes first."""
    depth = 0
    for at in range(start, len(code)):
        if depth == 0 and code[at] in stops:
            return at
        depth += (code[at] in OPENING) - (code[at] in CLOSING)
        if depth < 0:
            return None
    return None


def _parts(code: str, start: int, end: int, separator: str) -> list[tuple[int, int]]:
    """The spans between the separators that stand outside of brackets, without blanks around them."""
    spans, depth, begin = [], 0, start
    for at in range(start, end + 1):
        if at == end or (depth == 0 and code[at] == separator):
            piece = code[begin:at]
            spans.append((begin + len(piece) - len(piece.lstrip()), begin + len(piece.rstrip())))
            begin = at + 1
        elif code[at] in OPENING or (code[at] == "<" and code[at - 1:at].isalnum()):
            depth += 1
        elif code[at] in CLOSING or (code[at] == ">" and depth and code[at - 1] not in "- "):
            depth -= 1
    return spans


def conditions(code: str, text: str) -> Iterator[Edit]:
    """The condition of an if or while, negated."""
    for match in re.finditer(r"\b(?:if|while)\s*\(", code):
        close = _closing(code, match.end() - 1)
        if close is None:
            continue
        start, end = _parts(code, match.end(), close, ";")[-1]
        condition = code[start:end]
        if not condition or re.search(r"[^=!<>]=[^=]", condition):
            continue  # a declaration
        simple = not re.search(r"&&|\|\|", condition)
        if simple and re.search(r"^!|\s[=!]=\s", condition):
            continue  # as `logic` or `relations` make it
        yield start, end, f"!({text[start:end]})"


def _start_of_choice(code: str, at: int) -> int:
    """Where the condition begins that ends before `at`."""
    depth = 0
    while at > 0:
        at -= 1
        depth += (code[at] in CLOSING) - (code[at] in OPENING)
        before = code[max(0, at - 6):at + 1]
        if depth < 0 or (depth == 0 and re.search(
                r"[,;]$|(?<!:):$(?!:)|(?<![=!<>])=$|\breturn$", before) and
                         not (code[at] in ":=" and code[at + 1] == code[at])):
            at += 1
            break
    return at + len(code[at:]) - len(code[at:].lstrip())


def choices(code: str, _: str) -> Iterator[Edit]:
    """The condition of `a ? b : c`, constant."""
    for match in re.finditer(r"\s\?\s", code):
        for value in ("true", "false"):
            yield _start_of_choice(code, match.start()), match.start(), value


def relations(code: str, _: str) -> Iterator[Edit]:
    """`<` for `<=`, `==` for `!=` and so on."""
    for match in re.finditer(r"(?<=\s)(?:<=|>=|==|!=|<|>)(?=\s)", code):
        yield *match.span(), RELATIONS[match[0]]


def arithmetic(code: str, _: str) -> Iterator[Edit]:
    """`+` for `-`, `*` for `/`, also in compound assignments."""
    for match in re.finditer(r"(?<=[\w)\]]\s)([-+*/%])=?(?=\s+[\w(*!-])", code):
        yield match.start(1), match.end(1), ARITHMETIC[match[1]]


def logic(code: str, _: str) -> Iterator[Edit]:
    """`&&` for `||`, and a `!` that is missing."""
    for match in re.finditer(r"(?<=\s)(?:&&|\|\|)(?=\s)", code):
        yield *match.span(), "||" if match[0] == "&&" else "&&"
    for match in re.finditer(r"!(?=[\w(*])", code):
        yield *match.span(), ""


def constants(code: str, _: str) -> Iterator[Edit]:
    """Numbers that are off by one."""
    for match in re.finditer(r"(?<![\w.'])(\d+)(\.\d+)?([eE][-+]?\d+)?([uUlLfF]*)(?![\w.'])", code):
        if match[2] or match[3]:
            value = float(match[1] + (match[2] or "") + (match[3] or ""))
            yield match.start(), match.end(), f"{value + 1}{match[4]}"
            continue
        number = int(match[1])
        for other in (number + 1, number - 1):
            if other >= 0:
                yield match.start(), match.end(), f"{other}{match[4]}"


def twins(code: str, _: str) -> Iterator[Edit]:
    """`max` for `min`, `last` for `first`, `false` for `true`."""
    for match in re.finditer(r"(?<=std::)(?:ranges::)?(min|max)\b|(?<=[.>])(first|last|front|back)(?=\()"
                             r"|\b(true|false)\b", code):
        start, end = match.span(match.lastindex or 0)
        yield start, end, TWINS[code[start:end]]


TARGET = r"(?:\+\+|--|\*)*(?:[\w:.]|->|\[[^;\]]*\]|\(\))+(?:<[^;=()]*>)?"
STATEMENT = re.compile(rf"{TARGET}\(.*\)|{TARGET}\s(?:[-+*/%|&^]|<<|>>)?=\s.*|(?:\+\+|--){TARGET}", re.DOTALL)


def _bracketed(code: str) -> list[str]:
    """For each place the bracket that is open there, "" outside of all."""
    around, result = [""], []
    for character in code:
        if character in CLOSING and len(around) > 1:
            around.pop()
        result.append(around[-1])
        if character in OPENING:
            around.append(character)
    return result


def dropped(code: str, _: str) -> Iterator[Edit]:
    """A call or an assignment that is missing."""
    bracketed = _bracketed(code)
    for match in re.finditer(r"(?:(?<=[;{})])|(?<=\belse))\s+(?=[\w*+-])(\w*)", code):
        start = match.start(1)
        is_statement = match[1] not in KEYWORDS and bracketed[start] not in ("(", "[")
        end = _end_at(code, start, ";") if is_statement else None
        if end is None:
            continue
        body = code[start:end]
        if "{\n" not in body.split("[", 1)[0] and not UNSEEN.search(body) and STATEMENT.fullmatch(body):
            yield start, end, ""


def defaults(code: str, _: str) -> Iterator[Edit]:
    """`return {}` in place of a value."""
    for match in re.finditer(r"\breturn\s+(?=[^\s;])", code):
        end = _end_at(code, match.end(), ";")
        if end is not None and code[match.end():end].replace(" ", "") != "{}":
            yield match.end(), end, "{}"


def swaps(code: str, text: str) -> Iterator[Edit]:
    """Two neighbouring arguments of a call, exchanged."""
    declared = re.compile(r"(?:const\s+)?[\w:<>, ]+[&*]*\s+[&*]*\w+", re.DOTALL)
    for match in re.finditer(rf"({WORD})(?:<[\w:, ]+>)?\(", code):
        close = _closing(code, match.end() - 1)
        if match[1] in KEYWORDS or close is None:
            continue
        arguments = _parts(code, match.end(), close, ",")
        if any(start >= end or declared.fullmatch(code[start:end]) for start, end in arguments):
            continue
        for (a, a_end), (b, b_end) in zip(arguments, arguments[1:]):
            if text[a:a_end] != text[b:b_end]:
                yield a, b_end, text[b:b_end] + text[a_end:b] + text[a:a_end]


OPERATORS = (conditions, choices, relations, arithmetic, logic, constants, twins, dropped, defaults, swaps)


def _lines(text: str, start: int, end: int) -> str:
    """The lines that hold a span, as one line."""
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", end)
    return " ".join(text[begin:stop if stop >= 0 else len(text)].split())


def mutant(file: str, text: str, operator: str, edit: Edit) -> Mutant:
    """The mutant that an edit of a text makes."""
    start, end, new = edit
    changed = text[:start] + new + text[end:]
    return Mutant(file, text.count("\n", 0, start) + 1, operator, _lines(text, start, end),
                  _lines(changed, start, start + len(new)), start, end, new,
                  text.count("\n", 0, end) + 1)


def _shortest(text: str, edit: Edit) -> Edit:
    """The same edit without what it leaves as it is."""
    start, end, new = edit
    old = text[start:end]
    head = len(os.path.commonprefix([old, new]))
    tail = len(os.path.commonprefix([old[head:][::-1], new[head:][::-1]]))
    return start + head, end - tail, new[head:len(new) - tail]


def mutants_of(file: str, text: str) -> list[Mutant]:
    """All mutants of a source, each text once, in the order of the lines."""
    code = code_of(text)
    seen, found = set(), []
    for operator in OPERATORS:
        for edit in operator(code, text):
            if (key := _shortest(text, edit)) not in seen:
                seen.add(key)
                found.append(mutant(file, text, operator.__name__, edit))
    return sorted(found, key=lambda one: (one.start, one.end, one.operator, one.new))
