"""What `invr run` keeps of a clip of several parts beside its answer: a file of each, and one page of all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invr_core.fitting import Progress
from invr_tasks.cli.progress import Reporter
from invr_tasks.confidence import Sureness
from invr_tasks.page.curve import Curve
from invr_tasks.pieces import Part
from invr_tasks.run import Result, Score
from invr_tasks.shots import Done, Joined
from invr_tasks.task import Source, Task

if TYPE_CHECKING:
    from invr_tasks.page.joined import Sections
    from invr_tasks.truth import Truth


def numbered(path: str, number: int, count: int) -> str:
    """The file of one part.

    Args:
        path: that the user named.
        number: of the part, from 1 on.
        count: of the parts.

    Example:
        >>> numbered("a/clip.invr", 3, 12)
        'a/clip-03.invr'
        >>> numbered("a/clip.invr", 1, 1)
        'a/clip.invr'
    """
    name = Path(path)
    return path if count == 1 else str(name.with_name(f"{name.stem}-{number:0{len(str(count))}}{name.suffix}"))


class Byproducts:
    """Saves each part once it is fitted, and looks at it for the report.

    Args:
        rep: the ``.invr`` file that the user named; None for none.
        bits: of each number in it.
        report: the page that the user named; None for none.
        count: of the parts.
        reporter: is told of the parts and the steps of their fits.
        truth: that the page holds the answer against; None where it is not known.
    """

    def __init__(
        self, rep: str | None, bits: int, report: str | None, count: int, reporter: Reporter, truth: Truth | None
    ) -> None:
        self._truth = truth
        self._bits, self._report, self._reporter, self._curve = bits, report, reporter, Curve(reporter.on_step)
        self.files = [] if rep is None else [numbered(rep, number + 1, count) for number in range(count)]
        self._sections: Sections | None = None
        self.saved: list[str] = []
        if report is not None and count > 1:
            from invr_tasks.page.joined import Sections

            self._sections = Sections(truth)

    def begin(self, part: Part) -> None:
        """The fit of another part begins."""
        self._reporter.part(part.title)
        if self._sections is not None:
            self._sections.begin()

    def step(self, progress: Progress) -> None:
        """Note a step, and pass it on."""
        self._curve(progress)
        if self._sections is not None:
            self._sections.step(progress)

    def done(self, done: Done) -> None:
        """Save what was fitted, and look at it."""
        if self.files:
            path = self.files[done.number]
            done.result.representation.save(path, self._bits)
            self.saved.append(path)
        if self._sections is not None:
            self._sections.add(done)

    def write(
        self,
        task: Task[Any],
        source: Source,
        result: Joined | Result,
        facts: Mapping[str, object],
        sureness: Sureness | None,
    ) -> None:
        """Write the report."""
        if self._report is None:
            return
        if isinstance(result, Joined) and result.alone is None:
            if self._sections is not None:
                self._sections.write(self._report, task, source, result, facts, sureness)
            return
        from invr_tasks.page.report import write_report

        alone = result if isinstance(result, Result) else result.alone
        assert alone is not None
        found = None if self._truth is None else self._truth.scores()
        write_report(
            self._report,
            task,
            source,
            alone,
            truth=None if found is None or self._truth is None else self._truth.clip,
            scored=None if found is None else Score(source, alone, *found),
            curve=self._curve,
            facts=facts,
            sureness=sureness,
        )

    @property
    def told(self) -> str | None:
        """The files that were saved, in a few words."""
        saved = sorted(self.saved)
        if len(saved) < 3:
            return " and ".join(saved) or None
        return f"{saved[0]} to {saved[-1]} ({len(saved)} files)"
