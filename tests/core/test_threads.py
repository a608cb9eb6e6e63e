"""How threads wait: as we found best, unless the user has said how."""

from __future__ import annotations

import pytest

from invr_core.threads import wait_briefly


@pytest.mark.parametrize("set_before", [{"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "7"}])
def test_what_the_user_has_set_is_kept(set_before: dict[str, str]) -> None:
    variables = dict(set_before)
    wait_briefly(variables)
    assert variables == set_before
