"""The state machine that is made from a list of steps: right Amazon States Language, and every failure finds its way back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.jobs import SAGAS
from chalicelib.jobs.saga import Saga, Step

# No deadline: a busy machine is no fault of the code.
unhurried = settings(max_examples=40, deadline=None)

# Source: https://states-language.net/spec.html#state-type-table
FIELDS = {
    "Task": {"Type", "Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Retry", "Catch", "Next", "End"},
    "Pass": {"Type", "Result", "ResultPath", "Next"},
    "Choice": {"Type", "Choices", "Default"},
    "Fail": {"Type", "Error", "Cause"},
}


def nothing(job):
    """A step's effect, or its way back."""


NAMES = st.lists(st.from_regex(r"step-[a-z-]{1,20}", fullmatch=True), min_size=1, max_size=8, unique=True)


@st.composite
def sagas(draw):
    return Saga("any", *(Step(name, nothing, nothing if draw(st.booleans()) else None) for name in draw(NAMES)))


EVERY = st.one_of(st.sampled_from(list(SAGAS.values())), sagas())


def states_of(saga):
    return saga.state_machine("arn:aws:lambda:worker")["States"]


def exits(state):
    """Where a state can lead."""
    found = [state[key] for key in ("Next", "Default") if key in state]
    return [*found, *(one["Next"] for one in state.get("Choices", [])), *(one["Next"] for one in state.get("Catch", []))]


def walk_back(states, name):
    """What is undone when a state fails, in order, down to the end of the job."""
    (caught,) = states[name]["Catch"]
    assert caught["ErrorEquals"] == ["States.ALL"]
    path, at = [], caught["Next"]
    while at.startswith("undo-"):
        path.append(at.removeprefix("undo-"))
        at = states[at]["Next"]
    assert at == "fail"
    return path


@unhurried
@given(EVERY)
def test_every_state_is_well_formed_and_leads_somewhere(saga):
    machine = saga.state_machine("arn:aws:lambda:worker")

    assert set(machine) == {"Comment", "StartAt", "TimeoutSeconds", "States"}
    for name, state in machine["States"].items():
        assert len(name) <= 80
        assert set(state) <= FIELDS[state["Type"]]
        assert all(to in machine["States"] for to in exits(state))
        if state["Type"] == "Task":
            assert ("Next" in state) != ("End" in state)
            assert state["TimeoutSeconds"] < machine["TimeoutSeconds"]


@unhurried
@given(EVERY)
def test_every_state_can_be_reached_and_the_end_from_every_state(saga):
    machine = saga.state_machine("arn:aws:lambda:worker")
    states = machine["States"]

    def reachable(start):
        seen, waiting = set(), [start]
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                waiting += exits(states[at])
        return seen

    unreached = set(states) - reachable(machine["StartAt"])
    # The way back of the last step is taken by a recovery too; a step's own is always taken when it fails.
    assert unreached == set()
    assert all(reachable(name) & {"succeed", "failed"} for name in states)


@unhurried
@given(EVERY)
def test_a_step_that_fails_is_undone_with_all_before_it_last_first(saga):
    states, names = states_of(saga), list(saga.steps)

    for position, name in enumerate(names):
        began = [one for one in names[: position + 1] if saga[one].undo]
        assert walk_back(states, name) == began[::-1]


@unhurried
@given(EVERY)
def test_a_way_back_that_fails_does_not_stop_the_others_and_is_remembered(saga):
    states = states_of(saga)

    for name in (name for name in states if name.startswith("undo-")):
        (caught,) = states[name]["Catch"]
        assert caught["Next"] == states[name]["Next"]
        assert caught["ResultPath"] == f"$.left.{name.removeprefix('undo-')}"


@unhurried
@given(EVERY)
def test_without_failure_the_steps_run_in_order_and_then_the_job_succeeds(saga):
    machine = saga.state_machine("arn:aws:lambda:worker")
    states = machine["States"]
    at, path = states[states[machine["StartAt"]]["Next"]]["Default"], []
    while not states[at].get("End"):
        path.append(at)
        at = states[at]["Next"]

    assert path == list(saga.steps)
    assert at == "succeed"
    for name in path:
        assert states[name]["Parameters"]["Payload"] == {"job_id.$": "$.job_id", "action": "act", "step": name}


@unhurried
@given(EVERY)
def test_a_recovery_goes_the_whole_way_back_or_starts_again_where_there_is_none(saga):
    states = states_of(saga)
    (recovery,) = states["abandoned?"]["Choices"]
    undone = [name for name, step in saga.steps.items() if step.undo]

    assert recovery["Next"] == (f"undo-{undone[-1]}" if undone else next(iter(saga.steps)))


@unhurried
@given(EVERY)
def test_only_what_passes_by_itself_is_tried_again(saga):
    """A step's own failure is an answer, and is not repeated."""
    for state in states_of(saga).values():
        for retry in state.get("Retry", []):
            assert not {"States.ALL", "States.TaskFailed", "States.Timeout", "StepFailed"} & set(retry["ErrorEquals"])


def test_no_step_is_called_as_the_machines_own_states_are():
    with_own_states = {"begin", "abandoned?", "succeed", "fail", "failed"}

    for saga in SAGAS.values():
        assert not with_own_states & set(saga.steps)
        assert not any(name.startswith("undo-") for name in saga.steps)


@pytest.mark.parametrize("saga", SAGAS.values(), ids=lambda saga: saga.name)
def test_progress_only_grows_and_each_step_says_what_it_does(saga):
    progress = [step.progress for step in saga.steps.values()]

    assert progress == sorted(set(progress))
    assert all(0 < one < 100 for one in progress)
    assert all(step.message for step in saga.steps.values())
