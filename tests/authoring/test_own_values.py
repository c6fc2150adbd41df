"""What is a machine's or a project's own never gets into a profile, and always gets through."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from litellm_prompt_router.authoring.split import split_prompt, write_draft
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.types import Target
from tests.made_prompts import ANSWERS, BINDING, DELIVERY, INVOICES, OPENING, PAPER, RULES

TARGET = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None)
HEAD = f"{OPENING}{RULES}{PAPER}"
REST = f"{BINDING}{DELIVERY}{INVOICES}{ANSWERS}"


def count_tokens(text: str) -> int:
    return len(text) // 4 + 1


def files_of(samples: list[str]) -> str:
    """Everything that a draft of these samples puts on disk, and a check that every sample gets through it whole."""
    draft = split_prompt(samples, name="quill", count_tokens=count_tokens, target_chars=300)
    with tempfile.TemporaryDirectory() as root:
        folder = write_draft(draft, Path(root))
        written = {path: path.read_text("utf-8") for path in sorted(folder.rglob("*")) if path.is_file()}
        profile = load_profile(folder, count_tokens)
    catalogue = Catalogue([profile])
    for sample in samples:
        found = catalogue.recognise(sample)
        assert found is not None
        assert found.coverage == 1.0
        everything = Pipeline([profile], count_tokens, coverage_floor=0.0)
        words = " ".join(trigger.rstrip("*") for module in profile.modules for trigger in module.triggers)
        body = {"model": "m", "messages": [{"role": "system", "content": sample}, {"role": "user", "content": words}]}
        sent = everything.walk(body, "acompletion", lambda: TARGET).body["messages"][0]["content"]
        text = sent if isinstance(sent, str) else "".join(block["text"] for block in sent)
        for span in found.spans:
            if span.kind != "module":
                assert sample[span.start : span.end].strip() in text
    return "\n".join(written.values())


FILE = "# House rules\n\n- Indent by four.\n- Leave alone the folder attic/.\n\n## Build\n\nRun `make all` first.\n"
QUOTED = {
    "user_rules": f"<user_rules>\n{FILE}</user_rules>\n\n",
    "memory": f"<memory>\n{FILE}</memory>\n\n",
    "project_context": f'<project_context root="/srv/x">\n{FILE}</project_context>\n\n',
    "context from": f"--- Context from: docs/AGENTS.md ---\n{FILE}--- End of Context from: docs/AGENTS.md ---\n\n",
    "fence with a file's name": f"````AGENTS.md\n{FILE}\n````\n\n",
    "two fences": f"````AGENTS.md\n{FILE}\n````\n\n````README.md\n# Shop\n\nIndent by four.\n````\n\n",
    "fence with a path": f"```/srv/print/notes.txt\n{FILE}\n```\n\n",
    "announced fence": f"Here is the content of README.md:\n\n```\n{FILE}\n```\n\n",
    "file line and fence": f"File: docs/README.md\n```markdown\n{FILE}```\n\n",
    "selected files": f"## Selected files\n\n`head` shows the rest.\n\n```notes.txt\n{FILE}```\n\n",
    "fence, the next block on its last line": f"````README.md\n{FILE}\n````## Deliveries\n\nThey leave on Tuesday.\n\n",
    "memory section": f"# Memory\n\n## Long-term Memory\n{FILE}\n---\n\n",
    "listing": "Current workspace structure:\n\n```\nattic/\nattic/list.txt\nREADME.md\n```\n\n",
}
AT_END = {
    "contents of": f"\nContents of /srv/print/CLAUDE.md (project instructions, checked into the codebase):\n\n{FILE}",
    "heading": f"\n# AGENTS.md instructions for /srv/print\n\n{FILE}",
    "instructions from": f"\nInstructions from: /srv/print/AGENTS.md\n{FILE}",
    "additional context": f"\n## Additional Context from AGENTS.md\n\n{FILE}",
    "project instructions": f"\n## Project Instructions\n\n{FILE}",
    "additional context line": f"\n\nAdditional Context...\n\n{FILE}",
    "several headings, then a rule": f"\n## AGENTS.md\n\n{FILE}\n\n## SOUL.md\n\n# Soul\n\nIndent by four.\n\n---\n\n"
    "# Closing time\n\nThe shop closes at six.\n",
    "rules from": f"\n# Rules from /srv/print/.rules/RULES.md:\n{FILE}",
}


@pytest.mark.parametrize("count", [1, 2], ids=["one sample", "two samples of one project"])
@pytest.mark.parametrize(
    "text",
    [*(f"{HEAD}{block}{REST}" for block in QUOTED.values()), *(f"{HEAD}{REST}{block}" for block in AT_END.values())],
    ids=[*QUOTED, *AT_END],
)
def test_a_quoted_file_is_no_text_of_a_profile(text: str, count: int) -> None:
    """Also where it never varied; another project's file, or none, gets through as well, and the rules stay text."""
    written = files_of([text, text.replace("Quill", "Quill II")][:count])
    for words in ("Indent by four", "attic/", "make all"):
        assert words not in written
    closing = ("The shop closes at six.",) * text.count("# Closing time")
    for words in ("You must not delete orders.", "Thread binding takes two days", "# Output format", *closing):
        assert words in written


@pytest.mark.parametrize("block", QUOTED.values(), ids=QUOTED)
def test_a_prompt_without_the_file_or_with_another_is_recognised(block: str) -> None:
    if "Deliveries" in block:
        pytest.skip("another block follows on its last line")
    draft = split_prompt([f"{HEAD}{block}{REST}"], name="quill", count_tokens=count_tokens, target_chars=300)
    with tempfile.TemporaryDirectory() as root:
        profile = load_profile(write_draft(draft, Path(root)), count_tokens)
    other = block.replace("Indent by four", "Indent with spaces").replace("attic", "archive")
    for text in (f"{HEAD}{block}{other}{REST}", f"{HEAD}{other}{REST}"):
        found = Catalogue([profile]).recognise(text)
        assert found is not None
        assert found.coverage > 0.98


OWN = {
    "home": ("Your notes lie in {}. Keep them short.", "/home/grace/print/notes"),
    "home on a Mac": ("- Cache folder: {}", "/Users/grace.hopper/Library/Caches/quill"),
    "home on Windows": ("Current directory: {}", "C:\\Users\\Grace\\print"),
    "root's home": ("The project is in {} now.", "/root/print/shop"),
    "temporary folder": ("Scratch files go to `{}`.", "/tmp/quill-8f3a91c2/work"),
    "working directory": ("Working directory: {}", "/srv/print/shop"),
    "working directory with spaces": ("Working directory: {}", "/srv/print shop/our files"),
    "drive": ("Current Working Directory ({})", "d:/jobs/print"),
    "workspace": ("Your workspace is at: {}", "/root/.quill/workspace"),
    "notes in the workspace": ("- Notes: {} (write what matters here)", "/root/.quill/workspace/notes/NOTES.md"),
    "place in a tag": ("<location>{}</location>", "/home/grace/.quill/skills/print/SKILL.md"),
    "session path": ("State: {}", "/var/lib/quill/3f2b8a1e-6c1d-4e5f-9a7b-0c1d2e3f4a5b/state"),
    "user name": ("OS user: {}", "ghopper"),
    "host name": ("Hostname: {}", "print-shop-03"),
    "session": ("Session ID: {}", "3f2b8a1e-6c1d-4e5f-9a7b-0c1d2e3f4a5b"),
    "git remote": ("Remote: {} (fetch)", "git@git.printshop.org:grace/shop.git"),
    "git author": ("Git author: Grace <{}>", "grace@printshop.org"),
}


@pytest.mark.parametrize(("form", "value"), OWN.values(), ids=OWN)
def test_no_value_of_a_machine_is_in_a_profile(form: str, value: str) -> None:
    """From a single sample; in all places where it stands; any other machine's prompt is recognised."""
    line = form.format(value)
    text = f"{HEAD}# Environment\n\n{line}\n\n{REST}\n# Once more\n\n{line}\n"
    written = files_of([text])
    assert value not in written
    assert form.split("{}")[0] in written


def test_names_of_the_user_and_the_project_go_with_their_paths() -> None:
    text = (
        f"{HEAD}# Environment\n\nProject: shop\nHome: /home/ghopper\nWorking directory: /srv/print/shop\n"
        f"Ask ghopper before you print.\n\n{REST}"
    )
    written = files_of([text])
    assert "ghopper" not in written
    assert "Project: shop" not in written


FIXED = (
    "/usr/bin/env",
    "/workspace/shop/orders.csv",
    "/etc/hosts",
    "/path/to/file.txt",
    "/home/user/project",
    "/Users/username/shop",
    "C:\\Users\\YourName\\shop",
    "/tmp/proof.pdf",
    "/root/.bashrc",
    "https://example.com/shop/archive",
    "git clone https://github.com/owner/repo.git",
    "123e4567-e89b-12d3-a456-426614174000",
)


@pytest.mark.parametrize("value", FIXED)
def test_fixed_paths_stay_text(value: str) -> None:
    draft = split_prompt([f"{HEAD}Use {value} to try it.\n\n{REST}"], name="quill", count_tokens=count_tokens)
    assert draft.slots == ()


def test_samples_of_varying_slots_are_made_up_where_they_are_somebodys() -> None:
    samples = [
        f"{HEAD}Order folder: {path}\nThe customer is called {name}.\n<files>\n{files}\n</files>\n\n{REST}"
        for path, name, files in (
            ("/mnt/one/q", "Ada Byron", "a/x.pdf\nb/y.pdf"),
            ("/mnt/two", "Bo", "c/z.pdf\nd/q.pdf"),
        )
    ]
    written = files_of(samples)
    for value in ("/mnt/one", "Ada Byron", "a/x.pdf"):
        assert value not in written
