"""The language of the project: docstrings, comments, messages and pages."""

import ast
import io
import re
import textwrap
import tokenize

import pytest

from harness import ROOT

MODULES = sorted(
    path
    for room in ("keras_gans", "export")
    for path in ROOT.joinpath(room).rglob("*.py")
    if "_data" not in path.stem
)
TESTS = sorted(
    path
    for folder in ("tests", "scripts")
    for path in ROOT.joinpath(folder).rglob("*.py")
)
PAGES = [*ROOT.glob("*.md"), *ROOT.joinpath("docs").rglob("*.md")]
PAGES = sorted(path for path in PAGES if "_build" not in path.parts)
RECIPES = sorted(ROOT.joinpath("zoo_configs").glob("*.toml"))

# Words that a reader stumbles over, and what to write.
WORST = {
    r"\bpictures?\b": "image",
    r"\bso (is|are|was|were|does|do) (its?|his|they|theirs|those)\b": "say it in full",
    r"\bsee there\b": "name the place",
    r"\bby which\b": "say it in full",
    r"\bno one\b": "name who, or say what is unknown",
    r"\bjudg(e|es|ed|ing)\b": "measure, evaluate",
    r"\bvitals\b": "sample statistics",
    r"\bhouse\b": "package",
    r"\bstrangers?\b": "name who",
}
# A docstring's first line is an imperative (ruff's D401) or a noun phrase.
FIRST = r"(What|How|Whether|Where|Which|That|When|Who|If)\b"
# An argument's entry is a noun phrase; "Whether to" is Keras's own for a bool.
ENTRY = r"(What|How|Where|Which|That|When|Who|If)\b"
LONGEST = 30  # words of a sentence


def prose(text):
    """Return a text without code, addresses and indented formulas."""
    text = re.sub(r"```.*?```|^( {4}|\t)+[^ ].*$", " ", text, flags=re.S | re.M)
    return re.sub(r"``?[^`]*``?|https?:\S+|\(http[^)]*\)", "CODE", text)


def docstrings(tree):
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node):
            yield getattr(node, "name", "module"), ast.get_docstring(node)


def entries(doc):
    """Yield the entries of `Args` and `Attributes`: (name, text)."""
    section = re.search(r"^(Args|Attributes):\n(.*?)(?=^\S|\Z)", doc, re.M | re.S)
    if section:
        body = textwrap.dedent(section[2])
        yield from re.findall(r"^(\*{0,2}\w+): (.*(?:\n +.*)*)", body, re.M)


def messages(tree):
    """Strings that people read: those of two words or more."""
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if " " in node.value.strip() and id(node) not in docs:
                yield node.lineno, node.value


def comments(code):
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def worst(text):
    for pattern, instead in WORST.items():
        for match in re.finditer(pattern, prose(text), re.I):
            yield f"{match[0]!r}: {instead}"


def long_sentences(text):
    for paragraph in re.split(r"\n\s*\n|\n *(?:[-*|] |\w+: )", prose(text)):
        for sentence in re.split(r"(?<=[.;:?!])\s", paragraph):
            if len(sentence.split()) > LONGEST:
                yield " ".join(sentence.split()[:8]) + " ..."


def faults_of_module(path):
    code = path.read_text()
    tree = ast.parse(code)
    for name, doc in docstrings(tree):
        if re.match(FIRST, doc):
            yield f"{name}: first line {doc.splitlines()[0]!r}"
        for entry, text in entries(doc):
            if re.match(ENTRY, text):
                yield f"{name}: {entry}: {text.splitlines()[0]!r}"
        yield from (f"{name}: {fault}" for fault in worst(doc))
        yield from (f"{name}: long: {fault}" for fault in long_sentences(doc))
    for line, text in (*messages(tree), *comments(code)):
        yield from (f"line {line}: {fault}" for fault in worst(text))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_words_of_modules(path):
    assert list(faults_of_module(path)) == []


@pytest.mark.parametrize("path", TESTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_words_of_tests(path):
    """Docstrings and comments; strings are expectations."""
    if path.name == "test_words.py":
        return  # it lists the words
    code = path.read_text()
    faults = [fault for _, text in comments(code) for fault in worst(text)]
    for name, doc in docstrings(ast.parse(code)):
        faults += [f"{name}: {doc}"] * bool(re.match(FIRST, doc))
        faults += [*worst(doc), *long_sentences(doc)]
    assert faults == []


def markdown_prose(text):
    """Return a page without code blocks, tables, link targets and list marks."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    text = re.sub(r"^\|.*$|^#+ .*$|<!--.*?-->", "", text, flags=re.M)
    text = re.sub(r"^ *(- |\d+\. )", "\n\n", text, flags=re.M)
    return re.sub(r"\]\([^)]*\)", "] ", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_words_of_pages(path):
    text = markdown_prose(path.read_text())
    assert list(worst(text)) == []
    if not path.match("docs/trials/*") and not path.match("docs/models/*"):
        assert list(long_sentences(text)) == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_words_of_recipes(path):
    comments = re.findall(r"#(.*)", path.read_text())
    assert list(worst(" ".join(comments))) == []
