import dataclasses

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp
from small_federation import CLINICS, cohort, grid_of, ranges_map, sites_of, study_of

from client.answers import answer_question
from server.app import train_in_lockstep
from server.journal import NoJournal
from server.roster import Roster, ledger_owner
from shared.errors import FederationError, PrivacyError
from shared.messages import Answer, Question, pack_answers, unpack_questions
from simulations.engines.in_process import InProcessGrid, _task_identity

CHOSEN = ranges_map()
STUDY = study_of(CHOSEN)
FIRST = Question("gradient", 1, {"weights": np.zeros(5)})
QUESTION = {STUDY.digest: FIRST}


def owner_of(clinic):
    return ledger_owner(STUDY, clinic)


@pytest.fixture(scope="module")
def sites():
    features, asd = cohort()
    return sites_of(STUDY, CHOSEN, CHOSEN.standardise(features), asd)


def opener(sites, digest=STUDY.digest):
    """``open_study`` of the given clinics; a node without one refuses."""

    def open_study(context, asked):
        site = sites[context.node_config["partition-id"]]
        if site is None or asked != digest:
            raise PrivacyError("this clinic holds no such study")
        return site

    return open_study


def roster_of(grid, *studies, deadline_s=0.0, journal=None):
    return Roster(
        grid,
        studies or [STUDY],
        deadline_s=deadline_s,
        journal=journal or NoJournal(),
        poll_s=0.001,
    )


def test_answers_come_in_roster_order_whatever_the_nodes_order(sites):
    with grid_of(opener(sites[::-1])) as grid:
        found = roster_of(grid).ask(QUESTION)
    assert list(found) == [STUDY.digest]
    for site, answer in zip(sites, found[STUDY.digest], strict=True):
        expected = answer_question(site, QUESTION[STUDY.digest])
        np.testing.assert_array_equal(answer.arrays["sum"], expected.arrays["sum"])


def test_a_node_outside_the_roster_is_not_asked(sites):
    asked = []

    def counting(context, digest):
        asked.append(context.node_config["partition-id"])
        return opener([*sites, None])(context, digest)

    with grid_of(counting, nodes=4) as grid:
        roster = roster_of(grid)
        asked.clear()
        roster.ask(QUESTION)
    assert sorted(asked) == [0, 1, 2]


def test_a_missing_clinic_is_named_with_the_reasons(sites):
    with (
        grid_of(opener([sites[0], None, sites[2]])) as grid,
        pytest.raises(FederationError, match=r"waiting for Birch \(2 of 3 .*no such study.*Start"),
    ):
        roster_of(grid)


def test_no_node_at_all_is_said(sites):
    with (
        grid_of(opener(sites), nodes=0) as grid,
        pytest.raises(FederationError, match=r"waiting for Aspen, Birch, Cedar \(0 of 3"),
    ):
        roster_of(grid)


def test_a_clinic_that_appears_later_is_found(sites):
    with grid_of(opener(sites)) as grid:
        everyone = grid.get_node_ids()
        looks = iter([everyone[:1], everyone[:2], everyone])
        grid.get_node_ids = lambda: next(looks)
        assert roster_of(grid, deadline_s=30).clinics == CLINICS


def test_two_nodes_with_one_name_are_refused(sites):
    with (
        grid_of(opener([sites[0], sites[1], sites[0]])) as grid,
        pytest.raises(FederationError, match="two nodes say they are clinic 'Aspen'"),
    ):
        roster_of(grid)


def test_studies_with_different_rosters_are_refused(sites):
    other = study_of(CHOSEN, roster=CLINICS[:2])
    with grid_of(opener(sites)) as grid, pytest.raises(FederationError, match="different rosters"):
        roster_of(grid, STUDY, other)


def test_a_clinic_that_fails_is_named_and_its_reason_stays_there(sites):
    broken = dataclasses.replace(sites[1])
    object.__setattr__(broken, "asd", None)
    with grid_of(opener([sites[0], broken, sites[2]])) as grid:
        roster = roster_of(grid)
        with pytest.raises(FederationError, match="clinic 'Birch' refused") as told:
            roster.ask(QUESTION)
        assert "its own log" in str(told.value)
        assert "TypeError" not in str(told.value)


def test_a_refused_question_is_told_by_name(sites):
    with grid_of(opener(sites)) as grid:
        roster = roster_of(grid)
        beyond = {STUDY.digest: Question("gradient", 999, {"weights": np.zeros(5)})}
        with pytest.raises(
            FederationError, match="clinic 'Aspen' refused: PrivacyError: gradient round 999"
        ):
            roster.ask(beyond)


def test_a_clinic_that_goes_silent_is_named(sites):
    with grid_of(opener(sites)) as grid:
        roster = roster_of(grid)
        pull = grid.pull_messages
        grid.pull_messages = lambda keys: [
            reply for reply in pull(keys) if reply.metadata.src_node_id != 2
        ]
        with pytest.raises(FederationError, match="clinic 'Birch' did not answer within 0 s"):
            roster.ask(QUESTION)


def odd_app(ready, exchange):
    """A client of another version, which answers these records."""
    client_app = ClientApp()

    @client_app.query("ready")
    def _(message, context):
        node = context.node_config["partition-id"]
        return Message(ready(node), reply_to=message)

    @client_app.train("exchange")
    def _(message, context):
        return Message(exchange, reply_to=message)

    return client_app


def named(node):
    return ready_record(clinic=[CLINICS[node]])


def ready_record(**fields):
    return RecordDict({"ready": ConfigRecord({"feature_map": [CHOSEN.digest]} | fields)})


@pytest.mark.parametrize(
    "ready",
    [
        RecordDict(),
        ready_record(clinic="Aspen"),
        ready_record(clinic=[]),
        ready_record(clinic=["Aspen", "Birch"]),
    ],
)
def test_a_node_that_does_not_name_its_clinic_is_told(ready):
    with (
        _task_identity(),
        pytest.raises(FederationError, match=r"did not name its clinic.*another version"),
    ):
        roster_of(InProcessGrid(odd_app(lambda node: ready, RecordDict()), 3))


@pytest.mark.parametrize("maps", [["0" * 64], [], None])
def test_a_clinic_with_another_feature_map_is_told(maps):
    fields = {"clinic": ["Aspen"]} | ({} if maps is None else {"feature_map": maps})
    ready = RecordDict({"ready": ConfigRecord(fields)})
    with (
        _task_identity(),
        pytest.raises(FederationError, match="clinic 'Aspen' holds another feature map"),
    ):
        roster_of(InProcessGrid(odd_app(lambda node: ready, RecordDict()), 1))


def test_the_last_head_of_each_clinics_ledger_is_echoed():
    """A clinic whose ledger was copied back from an older state notices by it."""
    echoed = []
    client_app = ClientApp()

    @client_app.query("ready")
    def _(message, context):
        return Message(named(context.node_config["partition-id"]), reply_to=message)

    @client_app.train("exchange")
    def _(message, context):
        asked = unpack_questions(message.content)
        node = context.node_config["partition-id"]
        echoed.append((node, asked.echoed_head))
        (question,) = asked.questions.values()
        head = f"{node}{question.round}" * 32
        answer = Answer({}, question.round, question.digest, head)
        return Message(pack_answers({STUDY.digest: answer}), reply_to=message)

    journal = NoJournal()
    with _task_identity():
        grid = InProcessGrid(client_app, 3)
        roster_of(grid, journal=journal).ask(QUESTION)
        roster = roster_of(grid, journal=journal)  # another run of the server
        for number in (2, 3):
            roster.ask({STUDY.digest: Question("gradient", number, {"weights": np.zeros(5)})})
    assert [head for node, head in echoed if node == 1] == ["", "11" * 32, "12" * 32]
    assert journal.head(owner_of("Cedar")) == "23" * 32


def test_heads_of_clinics_that_answered_are_kept_though_another_failed():
    client_app = ClientApp()

    @client_app.query("ready")
    def _(message, context):
        return Message(named(context.node_config["partition-id"]), reply_to=message)

    @client_app.train("exchange")
    def _(message, context):
        if context.node_config["partition-id"] == 0:
            raise PrivacyError("not today")
        answer = Answer({}, 1, FIRST.digest, "ab" * 32)
        return Message(pack_answers({STUDY.digest: answer}), reply_to=message)

    journal = NoJournal()
    with _task_identity():
        roster = roster_of(InProcessGrid(client_app, 3), journal=journal)
        with pytest.raises(FederationError, match="clinic 'Aspen' refused"):
            roster.ask(QUESTION)
    assert journal.head(owner_of("Birch")) == "ab" * 32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(5), "without a sum"),
        (np.zeros(5, dtype=np.int64), "without a sum"),
        (np.zeros(4, dtype=np.uint64), r"shape \(4,\)"),
        (None, "no answer for 1 of 1 studies"),
    ],
)
def test_an_answer_of_another_kind_stays_closed(values, message):
    answers = {} if values is None else {STUDY.digest: Answer({"sum": values}, 1, FIRST.digest)}
    with _task_identity():
        roster = roster_of(InProcessGrid(odd_app(named, pack_answers(answers)), 3))
        with pytest.raises(FederationError, match=message):
            train_in_lockstep([(STUDY, CHOSEN)], roster, NoJournal())


def test_a_ready_question_without_studies_is_refused(sites):
    with grid_of(opener(sites)) as grid:
        (reply,) = grid.send_and_receive([Message(RecordDict(), 1, "query.ready")])
    assert "ready question without studies" in reply.error.reason
