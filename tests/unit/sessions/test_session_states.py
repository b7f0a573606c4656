"""The table of states is the rule."""

import pytest

from chalicelib.sessions.errors import InvalidStateTransition
from chalicelib.sessions.states import STATES, TRANSITIONS, transition


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_a_change_is_its_event_or_nothing_or_refused_with_what_is_allowed(before, after):
    if before == after:
        assert transition(before, after) is None
    elif (before, after) in TRANSITIONS:
        assert transition(before, after) == TRANSITIONS[before, after]
    else:
        with pytest.raises(InvalidStateTransition) as refused:
            transition(before, after)
        assert refused.value.details == {"from": before, "to": after, "allowed": [to for start, to in TRANSITIONS if start == before]}
        assert before in refused.value.message
        assert after in refused.value.message


def test_nothing_follows_termination():
    assert [change for change in TRANSITIONS if change[0] == "terminated"] == []
