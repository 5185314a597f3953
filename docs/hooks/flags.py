"""Flags of commands stay on one line, at least their names: a browser would break them after their hyphens."""

import re

_CODE = re.compile(r"<code>.*?</code>", re.S)
_FLAG = re.compile(r"(?<![\w=-])(?P<name>--[\w.]+=?)(?P<value>(?<==)[^\s<]+)?")
_LONGEST = 42  # characters that fit a telephone


def keep_whole(content: str) -> str:
    """Marks the flags in the code of a page, for `site.css`."""

    def marked(flag: re.Match) -> str:
        whole = flag[0] if len(flag[0]) <= _LONGEST else flag["name"]
        return f'<span class="flag">{whole}</span>{flag[0].removeprefix(whole)}'

    return _CODE.sub(lambda code: _FLAG.sub(marked, code[0]), content)


def on_page_content(content: str, **_) -> str:
    return keep_whole(content)
