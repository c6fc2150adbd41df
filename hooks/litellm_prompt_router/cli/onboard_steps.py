"""The steps of `onboard`, each kept when it is done: learn, check, simulate, page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.authoring.check import check_profiles
from litellm_prompt_router.cli.inputs import settings_of_environment, shown
from litellm_prompt_router.cli.model_accounts import Account, account_for, watched
from litellm_prompt_router.cli.onboard_terminal import show_page
from litellm_prompt_router.cli.onboard_wishes import ORIGINS, StatusLine, Wishes, replayable_text, with_origin
from litellm_prompt_router.cli.output import show_json
from litellm_prompt_router.cli.prompt_samples import show_skipped
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import OWN_FOLDER, PROFILE_FILE, load_profile
from litellm_prompt_router.files.replace_files import replace_files
from litellm_prompt_router.files.traffic import read_replayable, read_traffic
from litellm_prompt_router.onboarding.conversation_needs import sizes_of
from litellm_prompt_router.onboarding.findings import AgentFindings, FoundAgent
from litellm_prompt_router.onboarding.input_kind import kind_of, text_of
from litellm_prompt_router.onboarding.left_out import left_out_of
from litellm_prompt_router.onboarding.made_costs import made_costs
from litellm_prompt_router.onboarding.next_steps import RunPaths
from litellm_prompt_router.onboarding.onboard_state import (
    OnboardState,
    agent_documents,
    agents_from,
    costs_document,
    costs_from,
    digest_of_parts,
    findings_document,
    findings_from,
    folder_digest,
    load_state,
    save_state,
    state_path,
)
from litellm_prompt_router.onboarding.profiles_found import (
    ProfilePlace,
    learn_agents,
    loadable_profiles,
    settle_agents,
    settle_prompt,
)
from litellm_prompt_router.onboarding.replayed_costs import Tariff, replay_agents
from litellm_prompt_router.onboarding.trial_fit import is_enough, labels_of, try_fit
from litellm_prompt_router.onboarding.verdict import verdict_of
from litellm_prompt_router.onboarding.verdict_page import html_of
from litellm_prompt_router.onboarding.whole_page import page_of
from litellm_prompt_router.profile.profile import Profile

PROMPT_MODEL = "claude-sonnet-4-5"
"""What a prompt without traffic is accounted as, like `simulate --synthetic`."""


class Onboarding:
    """One run over one file. Whatever is done is on disk before the next step begins."""

    def __init__(self, raw: bytes, where: str, wishes: Wishes) -> None:
        from litellm_prompt_router.profile.tokens import token_counter

        self._text = text_of(raw, where)
        self._kind = kind_of(self._text, where)
        self._where = where
        self._wishes = wishes
        self._count_tokens = token_counter()
        self._path = state_path(wishes.root, wishes.name)
        self._state = load_state(self._path)
        self._digest = digest_of_parts(raw, str(wishes.min_chars))
        self._floor = settings_of_environment().coverage_floor
        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False)

    def run(self) -> None:
        """Everything, and what came of it on stdout."""
        state = self._state
        if self._wishes.is_fresh or self._wishes.replaces or state.input_digest != self._digest:
            self._state = state = OnboardState(input_digest=self._digest, drafts=state.drafts)
        if self._kind == "traffic":
            found, skipped, calls, account, total = self._traffic()
        else:
            found, skipped, calls, account, total = self._prompt()
        root = self._wishes.root
        paths = RunPaths(
            source=self._where,
            traffic=None if self._kind == "prompt" else "TRAFFIC.jsonl" if self._where == shown("-") else self._where,
            profiles=str(root),
            profiles_absolute=str(root.absolute()),
            is_usual=root.absolute() == Path(OWN_FOLDER).absolute(),
            account=self._account_options(calls, account),
        )
        models = sorted({str(call.request.get("model")) for call in calls} - {account.model})
        page = page_of(
            found,
            skipped,
            paths,
            model=account.model,
            prices=account.prices,
            calls=len(calls),
            skipped_lines=state.skipped_lines,
            other_models=models,
        )
        replace_files({self._wishes.page: html_of(page).encode()}, self._wishes.page)
        self._say(f"page: {self._wishes.page}")
        if self._wishes.as_json:
            show_json(self._document(found, skipped, calls, account, total))
        else:
            show_page(page)
            click.echo(f"\nthe same as a page: {self._wishes.page}")

    # Traffic

    def _traffic(
        self,
    ) -> tuple[list[AgentFindings], list[FoundAgent], tuple[RecordedCall, ...], Account, Any]:
        lines = self._text.split("\n")
        agents = self._agents(lines)
        ours = [agent for agent in agents if agent.profile is not None]
        problems: list[str] = []
        calls = read_replayable(lines, self._where, problems)
        self._state.skipped_lines = sum(bool(line.strip()) for line in lines) - len(calls)
        if not calls:
            raise ConfigurationError(problems[:5] or [f"{self._where}: holds no call that can be replayed"])
        show_skipped(problems)
        account = self._account(calls)
        profiles = loadable_profiles(self._wishes.root, self._count_tokens)
        by_name = {profile.name: profile for profile in profiles}
        for agent in ours:
            if agent.profile is not None and agent.profile not in by_name:
                load_profile(self._wishes.root / agent.profile, self._count_tokens)  # says what is wrong with it
        key = self._key(account, profiles)
        costs = self._costs(calls, profiles, account, key)
        replayable = replayable_text(lines, calls)
        found = [
            self._findings(agent, by_name[agent.profile], calls, replayable, account, costs, key)
            for agent in ours
            if agent.profile is not None
        ]
        return found, [agent for agent in agents if agent.profile is None], calls, account, costs["total"]

    def _agents(self, lines: Sequence[str]) -> list[FoundAgent]:
        state, root = self._state, self._wishes.root
        place = self._place()
        known = agents_from(state.agents) if state.agents else None
        if known and all(a.profile is None or (root / a.profile / PROFILE_FILE).is_file() for a in known):
            self._say("learn: done by an earlier run")
            return [with_origin(agent, place) for agent in known]
        problems: list[str] = []
        with self._status("learn: looking for agents"):
            learned = learn_agents(read_traffic(lines, self._where, problems), self._count_tokens, root)
        if not learned.calls:
            raise ConfigurationError(problems[:5] or [f"{self._where}: holds no call; a call is a line of JSON"])
        if not learned.agents:
            raise ConfigurationError(
                [f"{self._where}: no call has a system prompt; capture at the proxy, where the agent's own arrives"]
            )
        if all(agent.chars < self._wishes.min_chars for agent in learned.agents):
            longest = max(agent.chars for agent in learned.agents)
            raise ConfigurationError(
                [f"{self._where}: the longest system prompt has {longest:,} characters; --min-chars takes shorter ones"]
            )
        with self._status("learn: drafting") as status:
            agents = settle_agents(
                learned, place, self._wishes.min_chars, self._wrote, lambda name: status(f"learn: drafting {name}")
            )
        state.agents = agent_documents(agents)
        save_state(self._path, state)
        for agent in agents:
            if agent.profile is not None:
                self._say(f"learn: {self._wishes.root / agent.profile}: {ORIGINS[agent.origin or 'edited']}")
        return agents

    def _costs(
        self, calls: tuple[RecordedCall, ...], profiles: Sequence[Profile], account: Account, key: str
    ) -> dict[str, Any]:
        kept = self._state.accounted.get("")
        if kept is not None and kept.get("key") == key:
            self._say("simulate: done by an earlier run")
            return dict(kept["costs"])
        replayed = replay_agents(
            calls, profiles, self._tariff(account), self._where, lambda items: watched(items, "simulate")
        )
        document = costs_document(replayed)
        self._keep("", {"key": key, "costs": document})
        return document

    def _findings(
        self,
        agent: FoundAgent,
        profile: Profile,
        calls: tuple[RecordedCall, ...],
        text: str,
        account: Account,
        costs: dict[str, Any],
        key: str,
    ) -> AgentFindings:
        kept = self._state.accounted.get(profile.name)
        if kept is not None and kept.get("key") == key:
            known = findings_from({**kept["findings"], "agent": agent_documents([agent])[0]})
            if known is not None:
                self._say(f"{profile.name}: done by an earlier run")
                return known
        tariff = self._tariff(account)
        own = costs_from(costs["agents"].get(profile.name))
        labels, inferred = labels_of(text, self._where, profile)
        trial = None
        if inferred is not None and is_enough(labels, profile):
            with self._status(f"{profile.name}: trying a fit") as status:
                trial = try_fit(
                    calls,
                    profile,
                    inferred,
                    tariff,
                    lambda what, done, of: status(f"{profile.name}: trying a fit: {what} {done}/{of}"),
                    lambda items: items,
                )
        found = AgentFindings(
            agent=agent,
            sizes=sizes_of(profile, self._checked(profile)),
            costs=own,
            made=None,
            left_out=left_out_of(calls, profile, tariff, lambda items: watched(items, "messages")),
            labels=labels,
            trial=trial,
            min_cache_tokens=account.target.min_cache_tokens,
            problem=None if own is not None else "no call with this prompt can be replayed",
        )
        self._keep(profile.name, {"key": key, "findings": findings_document(found)})
        return found

    # A prompt

    def _prompt(self) -> tuple[list[AgentFindings], list[FoundAgent], tuple[RecordedCall, ...], Account, Any]:
        place = self._place()
        with self._status("split: drafting"):
            agent = settle_prompt(self._text, place, self._count_tokens)
        name = agent.profile or self._wishes.name
        if agent.origin == "drafted":
            self._wrote(name)
        self._say(f"split: {self._wishes.root / name}: {ORIGINS[agent.origin or 'edited']}")
        account = account_for(self._wishes.model or PROMPT_MODEL, self._wishes.stated_prices)
        profiles = loadable_profiles(self._wishes.root, self._count_tokens)
        profile = next(profile for profile in profiles if profile.name == name)
        key = self._key(account, [profile])
        kept = self._state.accounted.get(name)
        found = findings_from({**kept["findings"], "agent": agent_documents([agent])[0]}) if kept else None
        if found is not None and kept and kept.get("key") == key:
            self._say("simulate: done by an earlier run")
            return [found], [], (), account, None
        found = AgentFindings(
            agent=agent,
            sizes=sizes_of(profile, self._checked(profile)),
            costs=None,
            made=made_costs(profile, self._tariff(account), watched),
            left_out=None,
            labels=None,
            trial=None,
            min_cache_tokens=account.target.min_cache_tokens,
        )
        self._keep(name, {"key": key, "findings": findings_document(found)})
        return [found], [], (), account, None

    # Shared

    def _account(self, calls: Sequence[RecordedCall]) -> Account:
        model = self._wishes.model or Counter(str(call.request.get("model")) for call in calls).most_common(1)[0][0]
        endpoint = Counter(call.endpoint for call in calls).most_common(1)[0][0]
        return account_for(model, self._wishes.stated_prices, endpoint)

    def _account_options(self, calls: Sequence[RecordedCall], account: Account) -> tuple[str, ...]:
        """What `simulate` has to be told to account as we do."""
        is_told = self._wishes.model is not None or len({str(call.request.get("model")) for call in calls}) > 1
        model = ("--model", account.model) if is_told and calls else ()
        stated = self._wishes.stated_prices
        return (*model, *(("--prices", stated) if stated is not None else ()))

    def _tariff(self, account: Account) -> Tariff:
        return Tariff(
            model=account.model,
            prices=account.prices,
            target=account.target,
            rules=account.rules,
            blocks_of=account.blocks_of(self._count_tokens),
            count_tokens=self._count_tokens,
            coverage_floor=self._floor,
        )

    def _checked(self, profile: Profile) -> int:
        (report,) = check_profiles([profile], [], floor=self._floor)
        for problem in report.errors:
            click.echo(f"check: {problem}", err=True)
        return len(report.errors) + len(report.warnings)

    def _place(self) -> ProfilePlace:
        return ProfilePlace(
            root=self._wishes.root,
            name=self._wishes.name,
            replaces=self._wishes.replaces,
            drafts=self._state.drafts,
        )

    def _key(self, account: Account, profiles: Sequence[Profile]) -> str:
        """What the figures depend on: the input, the profiles as they are, the model and its prices."""
        folders = [folder_digest(self._wishes.root / profile.name) for profile in profiles]
        return digest_of_parts(self._digest, json.dumps(account.for_json()), str(self._floor), *folders)

    def _wrote(self, name: str) -> None:
        self._state.drafts[name] = folder_digest(self._wishes.root / name)
        save_state(self._path, self._state)

    def _keep(self, name: str, document: dict[str, Any]) -> None:
        self._state.accounted[name] = document
        save_state(self._path, self._state)

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)

    def _status(self, text: str) -> StatusLine:
        return StatusLine(self._console, text)

    def _document(
        self,
        found: Iterable[AgentFindings],
        skipped: Iterable[FoundAgent],
        calls: Sequence[RecordedCall],
        account: Account,
        total: Any,
    ) -> dict[str, Any]:
        agents = []
        for each in found:
            verdict = verdict_of(each)
            agents.append({"verdict": asdict(verdict), **findings_document(each)})
        return {
            **account.for_json(),
            "calls": len(calls),
            **({} if total is None else total),
            "agents": agents,
            "skipped": agent_documents(skipped),
            "page": str(self._wishes.page),
            "profiles_folder": str(self._wishes.root),
        }
