"""Formulas as MathML, made when the site is built, so that a reader needs no script for them."""

import html
import re

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.S)
# The converter sets the names of functions close to their arguments, and a tilde as a letter.
_NAME = re.compile(r"(<mi>(?:cos|exp|ln|log|max|min|sin)</mi>)(?!<mo[^>]*>&#x00028;)")
_TILDE = "<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>"


def to_mathml(content: str) -> str:
    """Replaces the formulas that `pymdownx.arithmatex` has marked in a page."""

    def mathml(match: re.Match) -> str:
        display = "block" if match["tag"] == "div" else "inline"
        formula = convert(html.unescape(match["latex"]), display=display).replace(*_TILDE)
        formula = _NAME.sub(r'\1<mspace width="0.17em"/>', formula)
        return f'<div class="formula">{formula}</div>' if display == "block" else formula

    return _FORMULA.sub(mathml, content)


def on_page_content(content: str, **_) -> str:
    return to_mathml(content)
