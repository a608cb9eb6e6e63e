"""The conformance kit for whoever writes a task: named checks, judged in seconds, without training.

A task is run on clips that are formulas (`invr_core.oracle`): exact at every instant and size, they stand in for what
a fit would give. What is simulated from them, observed, planned, rendered and judged must fit together.

In the tests of a plugin, each check is a test of its own::

    @pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
    def test_it_is_a_good_task(check: TaskCheck) -> None:
        check(Deblur())

One that does not apply is left out with a reason: ``excused(TASK_CHECKS, {"the_answer_is_lazy": "why"})``. Or all in
one:

    >>> import torch
    >>> from invr_core import Observation, Query
    >>> from invr_tasks.task import NoOptions, Source, Task
    >>> class Brighten(Task[NoOptions]):
    ...     '''Show a clip that is too dark as bright as it was.'''
    ...     api = 1
    ...     Config = NoOptions
    ...     def observe(self, source):
    ...         return Observation(source.video, forward=lambda clip, times: clip(times) / 2)
    ...     def plan(self, source):
    ...         return Query(source.video.times)
    ...     def simulate(self, truth, generator):
    ...         return Source(truth.map(lambda frames: frames / 2))
    >>> check_task(Brighten())

A check that fails says what it found and what was expected:

    >>> class Rash(Brighten):
    ...     '''Say that nothing has happened to the clip.'''
    ...     def observe(self, source):
    ...         return Observation(source.video)
    >>> check_task(Rash())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: Rash fails 1 check(s):
    the_observation_explains_the_source: ...

Which mistake each check is there to catch is listed in ``docs/conformance.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from invr_core.checking import check_all, excused
from invr_tasks.task import Task
from invr_tasks.testing.answered import (
    any_order_gives_the_same_frames,
    the_answer_beats_the_naive_one,
    the_answer_is_lazy,
    the_answer_is_sound,
    the_confidence_is_sound,
    the_plan_is_sound,
    what_is_judged_is_sound,
)
from invr_tasks.testing.declared import (
    options_are_explained,
    options_survive_a_round_trip,
    the_class_states_what_it_is,
)
from invr_tasks.testing.fair import (
    inputs_are_left_alone,
    nothing_of_the_truth_is_remembered,
    the_same_seed_gives_the_same_source,
    the_same_source_gives_the_same_bytes,
    truth_never_reaches_the_fit,
    what_is_judged_was_not_given,
)
from invr_tasks.testing.given import (
    the_forward_fits_the_video,
    the_observation_explains_the_source,
    the_observation_is_sound,
    the_prior_is_one_number,
    the_source_is_sound,
)
from invr_tasks.testing.refused import bad_input_is_refused, other_clips_are_served

__all__ = ["TASK_CHECKS", "TaskCheck", "check_task", "excused"]

TaskCheck = Callable[[Task[Any]], None]
"""Raises AssertionError, with what was expected and found, if a task does not pass."""

TASK_CHECKS: tuple[TaskCheck, ...] = (
    the_class_states_what_it_is,
    options_are_explained,
    options_survive_a_round_trip,
    the_source_is_sound,
    the_observation_is_sound,
    the_forward_fits_the_video,
    the_observation_explains_the_source,
    the_prior_is_one_number,
    the_plan_is_sound,
    the_answer_is_sound,
    the_answer_is_lazy,
    any_order_gives_the_same_frames,
    the_confidence_is_sound,
    what_is_judged_is_sound,
    the_answer_beats_the_naive_one,
    truth_never_reaches_the_fit,
    nothing_of_the_truth_is_remembered,
    what_is_judged_was_not_given,
    the_same_source_gives_the_same_bytes,
    the_same_seed_gives_the_same_source,
    inputs_are_left_alone,
    other_clips_are_served,
    bad_input_is_refused,
)
"""Every check, as a function of a task."""


def check_task(task: Task[Any], exempt: Mapping[str, str] | None = None) -> None:
    """Put a task through every check; see the top of this module for an example.

    Args:
        task: with the options it is to be checked with; more than one set of options is worth a check of its own.
        exempt: the names of checks it cannot pass, each with a reason. One that it passes nevertheless is an error,
            so that no exemption outlives its reason.

    Raises:
        AssertionError: if it fails a check; the message names all that it fails.
    """
    check_all(task, TASK_CHECKS, exempt)
