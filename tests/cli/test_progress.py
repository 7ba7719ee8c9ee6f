from __future__ import annotations

import io

from exporter.cli.progress import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_is_drawn_over_and_over_and_gone_in_the_end() -> None:
    out = Terminal()
    bar = Bar(out)
    bar.show(0.0, "of it")
    bar.show(0.5, "of it")
    bar.show(0.5, "of it")
    bar.show(7.0, "of it")
    bar.close()
    bar.close()
    drawn = [line.rstrip("\r") for line in out.getvalue().split("\r\x1b[K")]
    assert drawn == [
        "",
        "░" * 30 + "   0% of it",
        "█" * 15 + "░" * 15 + "  50% of it",
        "█" * 30 + " 100% of it",
        "",
    ]


def test_what_is_no_terminal_gets_nothing() -> None:
    out = io.StringIO()
    bar = Bar(out)
    bar.show(0.5, "of it")
    bar.close()
    assert out.getvalue() == ""
