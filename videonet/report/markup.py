"""What the pages are made of: one template, sections with a picture or a table. Everything from outside is escaped."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path


def page(
    title: str, heading: str, lead: str, tiles: Iterable[tuple[str, str, str]], sections: Iterable[str], footer: str
) -> str:
    """A whole page. tiles: (name, value, note); sections are markup already, empty ones are left out."""
    shown = "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd>{f'<small>{escape(note)}</small>' * bool(note)}</div>"
        for name, value, note in tiles
    )
    return _TEMPLATE.format(
        title=escape(title), heading=escape(heading), lead=escape(lead), tiles=shown,
        sections="\n".join(filter(None, sections)), footer=escape(footer),
    )  # fmt: skip


def picture(heading: str, name: str, pictures: dict[str, bytes], caption: str) -> str:
    """A section with a PNG inside; nothing where there is no such picture."""
    if name not in pictures:
        return ""
    data = base64.b64encode(pictures[name]).decode()
    return (
        f"<section><h2>{escape(heading)}</h2><p>{escape(caption)}</p>"
        f'<img alt="{escape(heading)}" src="data:image/png;base64,{data}"></section>'
    )


def videos(heading: str, note: str, rows: Sequence[tuple[str, str, bytes | str]]) -> str:
    """A section of videos: (caption, id, a JPEG or why there is none); nothing when there is no row."""
    if not rows:
        return ""
    shown = "\n".join(
        f"<figure><figcaption><b>{breakable(caption)}</b><br>{breakable(id_)}</figcaption>{_strip(strip)}</figure>"
        for caption, id_, strip in rows
    )
    return f"<section><h2>{escape(heading)}</h2><p>{escape(note)}</p>{shown}</section>"


def _strip(strip: bytes | str) -> str:
    if isinstance(strip, str):
        return f"<p>{escape(strip)}</p>"
    return f'<img alt="frames" src="data:image/jpeg;base64,{base64.b64encode(strip).decode()}">'


def table(heading: str, columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0, note: str = "") -> str:
    """A section with a table whose last `numbers` columns are numbers; nothing when there is no row."""
    text = len(columns) - numbers
    head = "".join(f"<th{' class=n' * (k >= text)}>{escape(name)}</th>" for k, name in enumerate(columns))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{breakable(cell)}</td>" if k < text else f"<td class=n>{escape(cell)}</td>"
            for k, cell in enumerate(row)
        )
        + "</tr>\n"
        for row in rows
    )
    if not body:
        return ""
    foot = f"<p>{escape(note)}</p>" if note else ""
    return (
        f"<section><h2>{escape(heading)}</h2><div class=wide><table><thead><tr>{head}</tr></thead>"
        f"<tbody>\n{body}</tbody></table></div>{foot}</section>"
    )


def breakable(text: str) -> str:
    """Escaped text that may be broken after the joints of a file or class name, and not before a percent sign."""
    return re.sub(r"([/_])", r"\1<wbr>", escape(text)).replace(" %", "&nbsp;%")


def percent(share: float | None) -> str:
    """ "12.3 %", or "none"."""
    return "none" if share is None else f"{100 * share:.1f} %"


def many(count: int, one: str, more: str | None = None) -> str:
    """ "1 clip", "1,000 clips"."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def write(path: Path, content: bytes) -> None:
    """The whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_bytes(content)
    os.replace(temporary, path)


_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #f5f6f8; color: #1f2328; font: 16px/1.5 system-ui, sans-serif; }}
main {{ max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; margin: 0 0 .3rem; }}
p {{ margin: 0 0 .6rem; color: #59616b; }}
dl {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: .6rem; margin: 1.2rem 0; }}
dl div, section {{ background: #fff; border: 1px solid #e1e4e8; border-radius: .5rem; }}
dl div {{ padding: .6rem .9rem; display: flex; flex-direction: column; justify-content: space-between; }}
dt {{ color: #59616b; font-size: .85rem; line-height: 1.3; }}
dd {{ margin: 0; font-size: 1.5rem; font-weight: 650; white-space: nowrap; font-variant-numeric: tabular-nums; }}
dl small {{ color: #59616b; font-size: .8rem; }}
section {{ padding: 1rem; margin: 0 0 1rem; }}
img {{ display: block; width: 100%; height: auto; }}
figure {{ margin: 0 0 1rem; }}
figure img {{ width: auto; max-width: 100%; }}
figcaption {{ font-size: .85rem; color: #59616b; overflow-wrap: anywhere; }}
figcaption b {{ color: #1f2328; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-top: 1px solid #eceef1; }}
th {{ border-top: 0; color: #59616b; font-weight: 600; }}
td {{ overflow-wrap: break-word; min-width: 5rem; }}
.n {{ text-align: right; white-space: nowrap; min-width: 0; font-variant-numeric: tabular-nums; }}
@media (max-width: 30rem) {{
  main {{ padding: 1rem .5rem 2rem; }}
  section {{ padding: .7rem .6rem; }}
}}
footer {{ color: #59616b; font-size: .85rem; overflow-wrap: anywhere; white-space: pre-line; }}
</style>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{lead}</p>
<dl>
{tiles}
</dl>
{sections}
<footer>{footer}</footer>
</main>
</body>
</html>
"""
