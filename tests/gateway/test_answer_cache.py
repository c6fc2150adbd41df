"""Routing models' answers in memory and among processes: asked for once, and the same for all."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_prompt_router.gateway.models.answer_cache import FAILURE_SECONDS, MAX_QUESTIONS, AnswerCache
from litellm_prompt_router.gateway.models.answer_stores import FILE_NAME, AnswerStore, FileAnswers, StoredAnswer
from litellm_prompt_router.gateway.models.hourly_budget import HOUR_SECONDS, UNKNOWN_PRICE_USD, HourlyBudget
from litellm_prompt_router.gateway.models.routing_bills import RoutingBills
from litellm_prompt_router.gateway.models.routing_calls import PAUSE_AFTER, PAUSE_SECONDS, Asking, RoutingCalls
from litellm_prompt_router.gateway.models.routing_model import ModelReply
from litellm_prompt_router.profile.profile import RoutingModelSettings
from litellm_prompt_router.record.routing_bill import QuestionsBill
from litellm_prompt_router.request.route import RoutingAnswer, RoutingQuestion

IDS = ("mail", "files", "charts")
USD = Decimal("0.0002")


def question(text: str) -> RoutingQuestion:
    return RoutingQuestion(sections="The sections.", conversation=text)


def said(*needed: str, perhaps: Sequence[str] = (), usd: Decimal | None = USD) -> ModelReply:
    text = json.dumps({"needed": needed, "perhaps": perhaps})
    return ModelReply(text=text, is_refusal=False, input_tokens=600, output_tokens=20, usd=usd)


def text(words: str, *, is_refusal: bool = False) -> ModelReply:
    return ModelReply(text=words, is_refusal=is_refusal, input_tokens=600, output_tokens=20, usd=USD)


Reply = ModelReply | Exception | tuple[float, ModelReply | Exception]


@dataclass
class Model:
    """Answers as scripted, after so many seconds where a reply comes with some; ``by_model`` stands over ``reply``."""

    reply: Reply = field(default_factory=lambda: said("mail"))
    by_model: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    done: int = 0

    async def __call__(
        self, model: str, asked: RoutingQuestion, ids: Sequence[str], seconds: float, metadata: Mapping[str, Any]
    ) -> ModelReply:
        assert tuple(ids) == IDS
        self.asked.append((model, asked.conversation))
        reply = self.by_model.get(model, self.reply)
        if isinstance(reply, tuple):
            await asyncio.sleep(reply[0])
            reply = reply[1]
        self.done += 1
        if isinstance(reply, Exception):
            raise reply
        return reply


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Process:
    """One process's memory of one model's answers."""

    model: Model
    cache: AnswerCache
    bills: RoutingBills
    problems: list[Any]
    store: AnswerStore | None
    count: int = 0

    async def ask(
        self,
        *texts: str,
        timeout: float = 0.4,
        hedge: str | None = None,
        budget: float | None = None,
        request_id: str | None = None,
    ) -> list[str]:
        """What became of each question that had to be asked."""
        self.count += 1
        settings = RoutingModelSettings(
            model="small", hedge_model=hedge, timeout_seconds=timeout, budget_usd_per_hour=budget
        )
        questions = tuple(map(question, texts))
        asking = Asking(
            settings=settings,
            profile="office",
            section_ids=IDS,
            questions=questions,
            request_id=request_id or f"r{self.count}",
            of_caller={},
        )
        outcomes = await self.cache.fetch(asking, self.store)
        return [outcomes.get(each, "-") for each in questions]

    def known(self, words: str) -> RoutingAnswer | None:
        return self.cache.known("small", question(words))

    def bill(self, number: int) -> QuestionsBill | None:
        return self.bills.so_far(f"r{number}")


NewProcess = Callable[..., Process]


@pytest.fixture
def process() -> NewProcess:
    def make(model: Model | None = None, store: AnswerStore | None = None, clock: Any = None) -> Process:
        model, problems = model or Model(), list[Any]()

        def tell(title: str, lines: Sequence[str]) -> None:
            problems.append((title, *lines))

        bills = RoutingBills(lambda record: None)
        more = {} if clock is None else {"clock": clock}
        cache = AnswerCache(RoutingCalls(model, bills, tell, **more), tell, **more)
        return Process(model, cache, bills, problems, store)

    return make


MAIL = RoutingAnswer(needed=("mail",), perhaps=())


async def test_a_question_is_asked_once(process: NewProcess) -> None:
    one = process()
    assert await one.ask("a") == ["answered"]
    one.model.reply = said("charts")
    assert await one.ask("a") == ["-"]
    assert (one.known("a"), one.model.asked) == (MAIL, [("small", "a")])
    assert one.bill(1) == QuestionsBill(calls=1, input_tokens=600, output_tokens=20, usd=USD)
    assert one.bill(2) is None, "who finds the answer pays nothing"


async def test_requests_at_the_same_time_ask_once_and_one_pays(process: NewProcess) -> None:
    one = process(Model(reply=(0.05, said("mail"))))
    outcomes = await asyncio.gather(*(one.ask("a") for _ in range(5)))
    assert sorted(outcomes) == [["-"]] * 4 + [["answered"]]
    assert len(one.model.asked) == 1
    assert [one.bill(number) is not None for number in range(1, 6)].count(True) == 1


async def test_a_client_that_goes_away_ends_nothing_for_others(process: NewProcess) -> None:
    one = process(Model(reply=(0.1, said("mail"))))
    gone = asyncio.create_task(one.ask("a"))
    await asyncio.sleep(0.02)
    other = asyncio.create_task(one.ask("a"))
    await asyncio.sleep(0.02)
    gone.cancel()
    assert (await other, one.known("a"), len(one.model.asked)) == (["-"], MAIL, 1)
    assert one.bill(1) is not None


class Refused(Exception):
    status_code = 401


class Overloaded(Exception):
    status_code = 500


BAD: dict[str, tuple[Reply, str]] = {
    "prose": (text("The user wants mail."), "garbage"),
    "nothing": (text(""), "garbage"),
    "cut JSON": (text('{"needed": ["mai'), "garbage"),
    "unknown ids alone": (said("sudo", "everything"), "garbage"),
    "a refusal": (text("I'm sorry.", is_refusal=True), "refused"),
    "500": (Overloaded(), "failed"),
    "401": (Refused(), "failed"),
    "no connection": (OSError(), "failed"),
    "late": ((0.6, said("mail")), "late"),
}


@pytest.mark.parametrize(("reply", "outcome"), BAD.values(), ids=BAD.keys())
async def test_a_message_without_an_answer_stays_so(process: NewProcess, reply: Reply, outcome: str) -> None:
    one = process(Model(reply=reply))
    assert await one.ask("a", timeout=0.2) == [outcome]
    one.model.reply = said("charts")
    assert await one.ask("a") == ["-"]
    assert one.known("a") is None
    assert len(one.model.asked) == 1
    await asyncio.sleep(0.5 if outcome == "late" else 0)
    assert one.known("a") is None, "a late answer is nobody's"
    assert one.cache.outcome_of("small", question("a")) == "unanswered"


@pytest.mark.parametrize(
    ("reply", "bill"),
    [
        ((0.3, said("mail")), QuestionsBill(calls=1, input_tokens=600, output_tokens=20, usd=USD)),
        (text("garbage"), QuestionsBill(calls=1, input_tokens=600, output_tokens=20, usd=USD)),
        (Overloaded(), QuestionsBill(calls=1)),
        (OSError(), QuestionsBill(calls=1, unknown_calls=1)),
        (litellm.Timeout("late", "small", "openai"), QuestionsBill(calls=1, unknown_calls=1)),
        (said("mail", usd=None), QuestionsBill(calls=1, input_tokens=600, output_tokens=20, unknown_calls=1)),
    ],
    ids=["late", "garbage", "an error costs nothing", "unknown", "timed out", "no price"],
)
async def test_what_is_billed_counts_whatever_the_answer_was(
    process: NewProcess, reply: Reply, bill: QuestionsBill
) -> None:
    one = process(Model(reply=reply))
    await one.ask("a", timeout=0.2)
    await asyncio.sleep(0.2)
    assert one.bill(1) == bill


async def test_a_failure_holds_as_long_as_it_is_asked_about(process: NewProcess) -> None:
    clock = Clock()
    one = process(Model(reply=Overloaded()), clock=clock)
    await one.ask("a")
    one.model.reply = said("mail")
    for _ in range(5):
        clock.now += FAILURE_SECONDS - 1
        assert one.cache.never_asked("small", [question("a")]) == []
    clock.now += FAILURE_SECONDS + 1
    assert await one.ask("a") == ["answered"]


async def test_other_sections_another_model_and_another_conversation_are_other_questions(process: NewProcess) -> None:
    one = process()
    await one.ask("a")
    asked = question("a")
    assert one.cache.never_asked("small", [asked]) == []
    assert one.cache.never_asked("large", [asked]) == [asked]
    for other in (asked._replace(sections="Others."), asked._replace(conversation="b")):
        assert one.cache.never_asked("small", [other]) == [other]


async def test_of_many_new_messages_the_latest_few_are_asked_about(process: NewProcess) -> None:
    """At the same time, and the others stay without an answer."""
    one = process(Model(reply=(0.05, said("mail"))))
    texts = [f"m{number}" for number in range(MAX_QUESTIONS + 5)]
    assert await one.ask(*texts) == ["too_many"] * 5 + ["answered"] * MAX_QUESTIONS
    assert [each for _, each in one.model.asked] == texts[5:]
    assert await one.ask(*texts) == ["-"] * len(texts)
    assert one.known("m0") is None
    assert one.bill(1) == QuestionsBill(
        calls=MAX_QUESTIONS, input_tokens=600 * MAX_QUESTIONS, output_tokens=20 * MAX_QUESTIONS, usd=USD * MAX_QUESTIONS
    )


# The hedge


async def test_a_slow_model_is_helped_out_and_both_are_billed(process: NewProcess) -> None:
    one = process(Model(by_model={"small": (0.5, said("files")), "quick": said("charts", usd=Decimal("0.001"))}))
    assert await one.ask("a", timeout=0.3, hedge="quick") == ["answered"]
    assert one.known("a") == RoutingAnswer(needed=("charts",), perhaps=())
    await asyncio.sleep(0.5)
    assert one.known("a") == RoutingAnswer(needed=("charts",), perhaps=()), "the first valid answer holds"
    assert one.bill(1) == QuestionsBill(calls=2, input_tokens=1200, output_tokens=40, usd=USD + Decimal("0.001"))


async def test_a_quick_model_needs_no_hedge(process: NewProcess) -> None:
    one = process()
    await one.ask("a", hedge="quick")
    assert one.model.asked == [("small", "a")]


@pytest.mark.parametrize("reply", [Overloaded(), text("garbage")], ids=["an error", "garbage"])
async def test_a_hedge_answers_at_once_where_the_model_failed(process: NewProcess, reply: Reply) -> None:
    one = process(Model(by_model={"small": reply, "quick": said("charts")}))
    began = asyncio.get_running_loop().time()
    assert await one.ask("a", timeout=5.0, hedge="quick") == ["answered"]
    assert asyncio.get_running_loop().time() - began < 1.0


async def test_both_failing_is_a_failure(process: NewProcess) -> None:
    one = process(Model(by_model={"small": Overloaded(), "quick": text("garbage")}))
    assert await one.ask("a", hedge="quick") == ["garbage"]
    assert [model for model, _ in one.model.asked] == ["small", "quick"]


# Patience and money


async def test_after_some_failures_nobody_waits_for_a_while_which_is_told_once(process: NewProcess) -> None:
    clock = Clock()
    one = process(Model(reply=Overloaded()), clock=clock)
    for number in range(PAUSE_AFTER):
        assert await one.ask(f"m{number}") == ["failed"]
    assert await one.ask("x") == ["paused"]
    assert one.problems == [
        ("Routing model failed", "small: Overloaded; for 10 s messages are routed without it"),
    ]
    clock.now += PAUSE_SECONDS
    one.model.reply = said("mail")
    assert await one.ask("y") == ["answered"]
    assert one.known("x") is None
    assert len(one.model.asked) == PAUSE_AFTER + 1


async def test_a_wrong_key_pauses_at_once_and_the_hedge_takes_over(process: NewProcess) -> None:
    one = process(Model(by_model={"small": Refused(), "quick": said("charts")}))
    assert await one.ask("a", hedge="quick") == ["answered"]
    assert await one.ask("b", hedge="quick") == ["answered"]
    assert [model for model, _ in one.model.asked] == ["small", "quick", "quick"]


async def test_garbage_says_nothing_of_other_messages(process: NewProcess) -> None:
    one = process(Model(reply=text("garbage")))
    for number in range(PAUSE_AFTER + 2):
        assert await one.ask(f"m{number}") == ["garbage"]


async def test_a_model_that_is_always_late_is_left_alone(process: NewProcess) -> None:
    one = process(Model(reply=(0.1, said("mail"))))
    for number in range(PAUSE_AFTER):
        assert await one.ask(f"m{number}", timeout=0.05) == ["late"]
        await asyncio.sleep(0.1)
    assert await one.ask("x", timeout=0.05) == ["paused"]


async def test_beyond_its_budget_nothing_is_asked_until_the_hour_is_over(process: NewProcess) -> None:
    clock = Clock()
    one = process(clock=clock)
    assert [await one.ask(f"m{number}", budget=0.0004) for number in range(3)] == [
        ["answered"],
        ["answered"],
        ["over_budget"],
    ]
    clock.now += HOUR_SECONDS
    assert await one.ask("m3", budget=0.0004) == ["answered"]
    assert one.known("m2") is None
    assert len(one.model.asked) == 3


def test_calls_that_are_out_count_in_a_budget() -> None:
    budget = HourlyBudget()
    budget.begin()
    budget.settle(Decimal("0.01"), 0.0)
    for _ in range(9):
        assert budget.admits(0.1, 1.0)
        budget.begin()
    assert not budget.admits(0.1, 1.0)
    assert budget.admits(None, 1.0)


def test_a_call_of_unknown_price_counts_a_stated_one() -> None:
    budget = HourlyBudget()
    budget.begin()
    budget.settle(None, 0.0)
    assert budget.admits(float(UNKNOWN_PRICE_USD) * 1.01, 0.0)
    assert not budget.admits(float(UNKNOWN_PRICE_USD), 0.0)


# Among processes


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Callable[[], FileAnswers]]:
    """New processes' views of one file."""
    made: list[FileAnswers] = []

    def make() -> FileAnswers:
        made.append(FileAnswers(tmp_path / "status"))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def test_workers_and_a_restart_go_by_what_was_answered_first(
    process: NewProcess, files: Callable[[], FileAnswers]
) -> None:
    one, other = process(store=files()), process(Model(reply=said("charts")), files())
    assert await one.ask("a") == ["answered"]
    assert await other.ask("a") == ["remembered"]
    assert (other.known("a"), other.model.asked, other.bill(1)) == (MAIL, [], None)


async def test_a_failure_is_every_workers(process: NewProcess, files: Callable[[], FileAnswers]) -> None:
    one, other = process(Model(reply=text("garbage")), files()), process(store=files())
    assert await one.ask("a") == ["garbage"]
    assert await other.ask("a") == ["unanswered"]
    assert other.known("a") is None


async def test_two_that_ask_at_once_agree_and_both_pay(process: NewProcess, files: Callable[[], FileAnswers]) -> None:
    one = process(Model(reply=(0.05, said("mail"))), files())
    other = process(Model(reply=(0.1, said("charts"))), files())
    assert [*await asyncio.gather(one.ask("a"), other.ask("a"))] == [["answered"], ["remembered"]]
    assert (one.known("a"), other.known("a")) == (MAIL, MAIL)
    assert one.bill(1) == other.bill(1) == QuestionsBill(calls=1, input_tokens=600, output_tokens=20, usd=USD)


async def test_who_was_late_takes_what_another_was_answered(
    process: NewProcess, files: Callable[[], FileAnswers]
) -> None:
    late, quick = (
        process(Model(reply=(1.0, said("charts"))), files()),
        process(Model(reply=(0.05, said("mail"))), files()),
    )
    assert [*await asyncio.gather(late.ask("a", timeout=0.2), quick.ask("a"))] == [["remembered"], ["answered"]]
    assert late.known("a") == MAIL


async def test_a_restart_in_a_long_conversation_finds_all_of_it(
    process: NewProcess, files: Callable[[], FileAnswers]
) -> None:
    """However many messages: only those that are nowhere known count as new."""
    one, texts = process(store=files()), [f"m{number}" for number in range(3 * MAX_QUESTIONS)]
    for each in texts:
        await one.ask(each)
    other = process(Model(reply=said("charts")), files())
    assert await other.ask(*texts, "new") == ["remembered"] * len(texts) + ["answered"]
    assert [other.known(each) for each in texts] == [MAIL] * len(texts)


async def test_the_file_holds_hashes_and_ids_for_its_owner_alone(
    process: NewProcess, files: Callable[[], FileAnswers], tmp_path: Path
) -> None:
    store = files()
    await process(store=store).ask("MARKER in the message", timeout=20.0)
    store.close()  # on a busy machine it is written a moment later
    for path in (tmp_path / "status").iterdir():
        assert b"MARKER" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    with sqlite3.connect(tmp_path / "status" / FILE_NAME) as database:
        [(key, answer)] = database.execute("SELECT key, answer FROM answers").fetchall()
    database.close()
    assert len(key) == 64
    assert json.loads(answer) == {"needed": ["mail"], "perhaps": []}


async def test_a_broken_file_is_begun_anew(
    process: NewProcess, files: Callable[[], FileAnswers], tmp_path: Path
) -> None:
    (tmp_path / "status").mkdir()
    (tmp_path / "status" / FILE_NAME).write_bytes(b"no database" * 1000)
    one, other = process(store=files()), process(Model(reply=said("charts")), files())
    assert await one.ask("a") == ["answered"]
    assert await other.ask("a") == ["remembered"]


async def test_answers_run_out_in_the_file_and_those_in_use_do_not(files: Callable[[], FileAnswers]) -> None:
    file = files()
    assert await file.agree("k", MAIL, -1) == MAIL
    assert await file.read(["k"]) == {}
    assert await file.agree("k", None, 60) is None
    assert await file.agree("k", MAIL, 60) is None
    await file.renew("k", None, 120)
    assert await file.read(["k", "other"]) == {"k": None}


class Slow:
    """A store that takes too long for everything."""

    def __init__(self) -> None:
        self.renewed: list[str] = []

    async def read(self, keys: Sequence[str]) -> Mapping[str, StoredAnswer]:
        await asyncio.sleep(5)
        return {}

    async def agree(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> StoredAnswer:
        await asyncio.sleep(5)
        return None

    async def renew(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> None:
        self.renewed.append(key)


class Broken(Slow):
    async def read(self, keys: Sequence[str]) -> Mapping[str, StoredAnswer]:
        raise ConnectionError

    async def agree(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> StoredAnswer:
        raise ConnectionError


@pytest.mark.parametrize("store", [Slow(), Broken()], ids=["slow", "broken"])
async def test_a_store_out_of_reach_costs_a_moment(process: NewProcess, store: AnswerStore) -> None:
    one = process(store=store)
    began = asyncio.get_running_loop().time()
    assert await one.ask("a") == ["answered"]
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_stores_are_told_of_what_is_still_in_use(process: NewProcess) -> None:
    """A failure that a conversation goes on with must not run out for other processes."""
    clock, store = Clock(), Slow()
    one = process(Model(reply=text("garbage")), store, clock)
    await one.ask("a")
    one.known("a")
    assert store.renewed == []
    clock.now += FAILURE_SECONDS / 2 + 1
    for _ in range(3):
        one.known("a")
    await asyncio.sleep(0)
    assert len(store.renewed) == 1
