"""The steps of `onboard`, each kept when it is done: learn, check, simulate, page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from litellm_prompt_router.analysis.simulate import ProfileGain, RecordedCall
from litellm_prompt_router.authoring.check import check_profiles
from litellm_prompt_router.cli.inputs import settings_of_environment, shown
from litellm_prompt_router.cli.model_accounts import Account, account_for, watched
from litellm_prompt_router.cli.onboard_account import (
    account_or_unpriced,
    options_of,
    priced_name,
    tariff_of,
    too_short,
    unpriced_settings,
)
from litellm_prompt_router.cli.onboard_terminal import show_page, wrapped
from litellm_prompt_router.cli.onboard_wishes import StatusLine, Wishes
from litellm_prompt_router.cli.output import say, say_text, show_json
from litellm_prompt_router.cli.prompt_samples import show_skipped
from litellm_prompt_router.cli.routing_options import asked_model_prices
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.files import OWN_FOLDER, PROFILE_FILE, load_profile
from litellm_prompt_router.files.replace_files import replace_files
from litellm_prompt_router.onboarding.agent_findings import findings_of
from litellm_prompt_router.onboarding.believed_replay import not_left_alone, settle_economics
from litellm_prompt_router.onboarding.conversation_needs import sizes_of
from litellm_prompt_router.onboarding.findings import AgentFindings, FoundAgent, GateAdvice
from litellm_prompt_router.onboarding.input_kind import kind_of, text_of
from litellm_prompt_router.onboarding.kept_steps import KeptSteps, known_profiles
from litellm_prompt_router.onboarding.made_costs import made_costs
from litellm_prompt_router.onboarding.next_steps import RunPaths
from litellm_prompt_router.onboarding.onboard_state import (
    agent_documents,
    costs_document,
    digest_of_parts,
    findings_document,
)
from litellm_prompt_router.onboarding.profiles_found import (
    learn_agents,
    loadable_profiles,
    settle_agents,
    settle_prompt,
)
from litellm_prompt_router.onboarding.replayed_costs import Tariff, WalkSettings, replay_agents
from litellm_prompt_router.onboarding.taken_traffic import TakenTraffic, take_traffic
from litellm_prompt_router.onboarding.unreplayed_sizes import unreplayed_by_profile
from litellm_prompt_router.onboarding.verdict import verdict_of
from litellm_prompt_router.onboarding.verdict_page import html_of
from litellm_prompt_router.onboarding.whole_page import page_of
from litellm_prompt_router.profile.profile import Profile

PROMPT_MODEL = "claude-sonnet-4-5"
"""What a prompt without traffic is accounted as, like `simulate --synthetic`."""
NO_TRAFFIC = TakenTraffic(calls=(), unreplayed=(), problems=(), skipped_lines=0, text="")


class Onboarding:
    """One run over one file. Whatever is done is on disk before the next step begins."""

    def __init__(self, raw: bytes, where: str, wishes: Wishes) -> None:
        from litellm_prompt_router.profile.tokens import token_counter

        self._text = text_of(raw, where)
        self._kind = kind_of(self._text, where)
        self._where = where
        self._wishes = wishes
        self._count_tokens = token_counter()
        self._floor = settings_of_environment().coverage_floor
        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        digest = digest_of_parts(raw, str(wishes.min_chars))
        self._kept = KeptSteps(wishes.root, wishes.name, digest, replaces=wishes.replaces, is_fresh=wishes.is_fresh)

    def run(self) -> Path | None:
        """Everything, and what came of it on stdout. The page's path; None where so short a prompt needs no page."""
        taken, total, skipped = NO_TRAFFIC, None, list[FoundAgent]()
        if self._kind == "traffic":
            found, skipped, taken, account, total = self._traffic()
        else:
            account = account_for(priced_name(self._wishes.model or PROMPT_MODEL), self._wishes.stated_prices)
            if self._is_too_short(account):
                return None
            found = self._prompt(account)
        path = self._page(found)
        page = page_of(
            found,
            skipped,
            self._paths(taken.calls, account, found),
            model=None if account is None else account.model,
            prices=None if account is None else account.prices,
            taken=taken,
        )
        replace_files({path: html_of(page).encode()}, path, private=(path,))
        self._say(f"page: {path}")
        if self._wishes.as_json:
            show_json(self._document(found, skipped, taken, account, total, path))
        else:
            show_page(page)
            say(f"\nthe same as a page: {path}")
        return path

    def _page(self, found: Sequence[AgentFindings]) -> Path:
        """After the agent that it is about, where there is one."""
        only = found[0].agent.profile if len(found) == 1 else None
        return self._wishes.page or Path(f"onboard-{only or self._wishes.name}.html")

    def _is_too_short(self, account: Account) -> bool:
        """Says so, where the provider wouldn't cache such a prompt: then there is nothing to win and nothing to do."""
        sentence = too_short(self._count_tokens(self._text), self._where, account)
        if sentence is None:
            return False
        if self._wishes.as_json:
            show_json({"verdict": {"kind": "no", "sentence": sentence}, "agents": [], "page": None})
        else:
            say_text(wrapped(sentence))
        return True

    # Traffic

    def _traffic(self) -> tuple[list[AgentFindings], list[FoundAgent], TakenTraffic, Account | None, Any]:
        lines = self._text.split("\n")
        taken = take_traffic(lines, self._where)
        if not taken.every_call:
            raise ConfigurationError(list(taken.problems[:5]) or [f"{self._where}: holds no call that can be read"])
        show_skipped(taken.problems)
        wishes = self._wishes
        account, unpriced = self._account(taken.calls)
        agents = self._agents(lines)
        profiles = loadable_profiles(self._wishes.root, self._count_tokens)
        by_name = {profile.name: profile for profile in profiles}
        ours = known_profiles(agents)
        for _, name in ours:
            if name not in by_name:
                load_profile(self._wishes.root / name, self._count_tokens)  # says what is wrong with it
        costs = self._costs(taken.calls, profiles, account, ours) if account is not None else {}
        key = self._key(account, by_name)
        walk: WalkSettings
        if account is not None:
            walk = tariff_of(account, self._count_tokens, self._floor)
        else:
            walk = unpriced_settings(taken.every_call, wishes.model, self._count_tokens, self._floor)
        names_model = account is not None or wishes.router_model is not None
        asked = asked_model_prices(wishes.router_model) if names_model else None
        untold = taken.unreplayed if unpriced is None else taken.every_call
        unreplayed = unreplayed_by_profile(untold, profiles, self._count_tokens, self._floor, unpriced)
        found = []
        for agent, name in ours:
            known = self._kept.findings(key, agent)
            if known is not None:
                self._say(f"{name}: done by an earlier run")
            else:
                known = findings_of(
                    agent,
                    by_name[name],
                    taken,
                    self._where,
                    walk,
                    costs,
                    unreplayed.get(name),
                    asked=asked,
                    warnings=self._checked(by_name[name]),
                    status=self._status,
                    watch=lambda items: watched(items, "messages"),
                )
                self._kept.keep_findings(key, known)
            found.append(known)
        skipped = [agent for agent in agents if agent.profile is None]
        return found, skipped, taken, account, costs.get("total")

    def _account(self, calls: Sequence[RecordedCall]) -> tuple[Account | None, str | None]:
        """What calls are accounted by, or the model that nobody has prices for. Raises for one that was asked for."""
        account, unpriced = account_or_unpriced(calls, self._wishes.model, self._wishes.stated_prices)
        if unpriced is not None:
            retry = self._wishes.command(self._where, "--model", PROMPT_MODEL)
            self._say(f"LiteLLM has no prices for {unpriced!r}; in money: {retry}")
        return account, unpriced

    def _agents(self, lines: Sequence[str]) -> list[FoundAgent]:
        known = self._kept.agents()
        if known is not None:
            self._say("learn: done by an earlier run")
            return known
        root, min_chars = self._wishes.root, self._wishes.min_chars
        with self._status("learn: looking for agents"):
            learned = learn_agents(lines, self._where, min_chars, self._count_tokens, root)
        with self._status("learn: drafting") as status:
            agents = settle_agents(
                learned, self._kept.place, min_chars, self._kept.wrote, lambda name: status(f"learn: drafting {name}")
            )
        self._kept.keep_agents(agents)
        for agent, name in known_profiles(agents):
            self._say(f"learn: {self._wishes.origin_of(agent, name)}")
        return agents

    def _costs(
        self,
        calls: tuple[RecordedCall, ...],
        profiles: Sequence[Profile],
        account: Account,
        ours: Sequence[tuple[FoundAgent, str]],
    ) -> dict[str, Any]:
        names = [profile.name for profile in profiles]
        kept = self._kept.costs(self._key(account, names))
        if kept is not None:
            self._say("simulate: done by an earlier run")
            return kept
        tariff = tariff_of(account, self._count_tokens, self._floor)
        asked = [not_left_alone(profile) for profile in profiles]
        replayed = replay_agents(calls, asked, tariff, self._where, lambda items: watched(items, "simulate"))
        by_name = {profile.name: profile for profile in profiles}
        gains = {gain.profile: gain for gain in replayed.gains}
        gates = {name: self._settle(agent, gains[name], by_name[name], tariff) for agent, name in ours if name in gains}
        document = costs_document(replayed, gates)
        self._kept.keep_costs(self._key(account, names), document)  # of the profiles as they are now
        return document

    def _settle(self, agent: FoundAgent, gain: ProfileGain, profile: Profile, tariff: Tariff) -> GateAdvice:
        folder = self._wishes.root / profile.name
        advice = settle_economics(gain, profile, tariff, folder, may_write=agent.is_our_draft)
        if agent.is_our_draft:
            self._kept.wrote(profile.name)
        if advice.state == "written":
            self._say(f"simulate: no gain: {folder / PROFILE_FILE}: economics written that leave it alone")
        return advice

    # A prompt

    def _prompt(self, account: Account) -> list[AgentFindings]:
        with self._status("split: drafting"):
            agent = settle_prompt(self._text, self._kept.place, self._count_tokens)
        name = agent.profile or self._wishes.name
        if agent.origin == "drafted":
            self._kept.wrote(name)
        self._say(f"split: {self._wishes.origin_of(agent, name)}")
        profiles = loadable_profiles(self._wishes.root, self._count_tokens)
        profile = next(profile for profile in profiles if profile.name == name)
        key = self._key(account, [name])
        known = self._kept.findings(key, agent)
        if known is not None:
            self._say("simulate: done by an earlier run")
            return [known]
        found = AgentFindings(
            agent=agent,
            sizes=sizes_of(profile, self._checked(profile)),
            costs=None,
            made=made_costs(profile, tariff_of(account, self._count_tokens, self._floor), watched),
            left_out=None,
            labels=None,
            trial=None,
            min_cache_tokens=account.target.min_cache_tokens,
            model=account.model,
        )
        self._kept.keep_findings(key, found)
        return [found]

    # Shared

    def _paths(
        self, calls: Sequence[RecordedCall], account: Account | None, found: Sequence[AgentFindings]
    ) -> RunPaths:
        root, wishes = self._wishes.root, self._wishes
        is_used = any(each.agent.profile == wishes.name for each in found)
        return RunPaths(
            source=self._where,
            traffic=None if self._kind == "prompt" else "TRAFFIC.jsonl" if self._where == shown("-") else self._where,
            profiles=str(root),
            profiles_absolute=str(root.absolute()),
            is_usual=root.absolute() == Path(OWN_FOLDER).absolute(),
            account=options_of(calls, account, wishes.model, wishes.stated_prices),
            retry=wishes.command(self._where, "--model", PROMPT_MODEL)
            if account is None and wishes.model is None
            else None,
            again=wishes.command(self._where),
            other_name=wishes.name if wishes.is_named and not is_used else None,
        )

    def _checked(self, profile: Profile) -> int:
        (report,) = check_profiles([profile], [], floor=self._floor)
        for problem in report.errors:
            say(f"check: {problem}", err=True)
        return len(report.errors) + len(report.warnings)

    def _key(self, account: Account | None, profiles: Iterable[str]) -> str:
        accounted = None if account is None else account.for_json()
        return self._kept.key(
            profiles, json.dumps([accounted, self._wishes.model, self._wishes.router_model]), str(self._floor)
        )

    def _say(self, line: str) -> None:
        self._console.print(one_line(line), soft_wrap=True)

    def _status(self, text: str) -> StatusLine:
        return StatusLine(self._console, text)

    def _document(
        self,
        found: Iterable[AgentFindings],
        skipped: Iterable[FoundAgent],
        taken: TakenTraffic,
        account: Account | None,
        total: Any,
        page: Path,
    ) -> dict[str, Any]:
        return {
            **({"model": None, "prices": None} if account is None else account.for_json()),
            "calls": len(taken.calls),
            "unreplayed_calls": len(taken.unreplayed),
            **({} if total is None else total),
            "agents": [{"verdict": asdict(verdict_of(each)), **findings_document(each)} for each in found],
            "skipped": agent_documents(skipped),
            "page": str(page),
            "profiles_folder": str(self._wishes.root),
        }
