"""The code execution tool: its files, its containers, its text editor, and what it says when something goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from asgi import ORGANIZATION
from understudy.engines.scenarios.model import Answer
from understudy.http.principal import Owner
from understudy.sandbox.interface import PathError
from understudy.tools.code_execution.session import Limits
from understudy.wire.errors import InvalidRequestError

from .api import PYTHON_TOOL, TOOL, Api, Block, bash, call, edits, tools_api
from .fakes import DirectorySandbox

KINDS = ("code_execution_20250825", "code_execution_20260120", "code_execution_20260521")


async def result_of(api: Api, scripted: Answer, **more: Any) -> Block:
    """The content of the one result of an answer."""
    api.script(scripted, Answer(text="done"))
    message = await api.ask("go", **more)
    (found,) = [block["content"] for block in message["content"] if block["type"].endswith("_result")]
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_each_version_has_bash_and_the_editor(api: Api, kind: str) -> None:
    tools = [{"type": kind, "name": "code_execution"}]
    assert (await result_of(api, bash("echo hi"), tools=tools))["stdout"] == "hi\n"
    created = edits(command="create", path="/tmp/a.txt", file_text="a")
    assert (await result_of(api, created, tools=tools))["is_file_update"] is False


class TestOutputs:
    async def test_files_in_the_output_directory_can_be_downloaded(self, api: Api) -> None:
        result = await result_of(api, bash('printf "a,b\\n" > "$OUTPUT_DIR/t.csv"; echo x > "$OUTPUT_DIR/n.txt"'))
        assert [block["type"] for block in result["content"]] == ["bash_code_execution_output"] * 2
        found = [await api.file(block["file_id"]) for block in result["content"]]
        assert [(file.filename, data) for file, data in found] == [("n.txt", b"x\n"), ("t.csv", b"a,b\n")]
        assert all(file.downloadable for file, _ in found)
        assert [file.mime_type for file, _ in found] == ["text/plain", "text/csv"]

    async def test_the_python_tool_has_a_word_of_its_own_for_them(self, api: Api) -> None:
        code = "import os; open(os.environ['OUTPUT_DIR'] + '/a.txt', 'w').write('a')"
        result = await result_of(api, call("code_execution", code=code), tools=[PYTHON_TOOL])
        assert [block["type"] for block in result["content"]] == ["code_execution_output"]

    async def test_each_call_has_a_directory_of_its_own(self, api: Api) -> None:
        api.script(bash('echo 1 > "$OUTPUT_DIR/a"'), bash('ls "$OUTPUT_DIR"'), Answer(text="done"))
        message = await api.ask("go")
        assert message["content"][3]["content"]["stdout"] == ""
        assert message["content"][3]["content"]["content"] == []

    async def test_files_further_down_and_elsewhere_stay_where_they_are(self, api: Api) -> None:
        result = await result_of(api, bash('mkdir "$OUTPUT_DIR/d"; echo 1 > "$OUTPUT_DIR/d/a"; echo 1 > b'))
        assert result["content"] == []

    async def test_names_that_no_file_may_have_are_made_ones(self, api: Api) -> None:
        result = await result_of(api, bash('echo 1 > "$OUTPUT_DIR/a:b?.txt"'))
        assert (await api.file(result["content"][0]["file_id"]))[0].filename == "a_b_.txt"

    async def test_a_link_is_not_followed(self, api: Api) -> None:
        result = await result_of(api, bash('ln -s /etc/passwd "$OUTPUT_DIR/p"; echo 1 > "$OUTPUT_DIR/a"'))
        assert len(result["content"]) == 1

    async def test_an_empty_file_is_not_passed_on_and_that_is_said(self, api: Api) -> None:
        result = await result_of(api, bash('touch "$OUTPUT_DIR/a"'))
        assert result["content"] == []
        assert "a is empty" in result["stderr"]

    async def test_a_file_that_is_too_large_is_an_error_of_its_own(self, api: Api) -> None:
        object.__setattr__(api.files.config, "max_bytes", 1_000)
        result = await result_of(api, bash('head -c 2000 /dev/zero > "$OUTPUT_DIR/a"'))
        assert result == {"type": "bash_code_execution_tool_result_error", "error_code": "output_file_too_large"}

    async def test_a_full_quota_is_said_and_the_command_counts(self, api: Api) -> None:
        object.__setattr__(api.files.config, "organization_bytes", 10)
        result = await result_of(api, bash('echo 0123456789abc > "$OUTPUT_DIR/a"; echo done'))
        assert result["stdout"] == "done\n"
        assert "a could not be passed on" in result["stderr"]

    async def test_a_file_that_is_gone_when_it_is_read_is_said(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        async def gone(sandbox: DirectorySandbox, path: str) -> AsyncIterator[bytes]:
            if path.endswith("/a"):
                raise PathError("It is no file.")
            yield b"b"

        monkeypatch.setattr(DirectorySandbox, "get", gone)
        api.script(bash("echo a > $OUTPUT_DIR/a; echo b > $OUTPUT_DIR/b"), Answer(text="done"))
        result = (await api.ask("go"))["content"][1]["content"]
        assert len(result["content"]) == 1
        assert "a could not be passed on: It is no file." in result["stderr"]


class TestUploads:
    async def test_a_file_is_put_into_the_container_and_the_model_knows_where(self, api: Api) -> None:
        file_id = await api.upload("data.csv", b"item,value\napple,30\nbanana,70\n")
        content = [{"type": "text", "text": "go"}, {"type": "container_upload", "file_id": file_id}]
        api.script(bash('cat "$INPUT_DIR/data.csv"'), Answer(text="done"))
        message = await api.ask(content)
        assert message["content"][1]["content"]["stdout"] == "item,value\napple,30\nbanana,70\n"

    async def test_two_files_of_one_name_have_two(self, api: Api) -> None:
        ids = [await api.upload("a.csv", data) for data in (b"1\n", b"2\n")]
        content = [{"type": "container_upload", "file_id": file_id} for file_id in ids]
        api.script(bash("cat $INPUT_DIR/a.csv $INPUT_DIR/a_2.csv"), Answer(text="done"))
        message = await api.ask([*content, {"type": "text", "text": "go"}])
        assert message["content"][1]["content"]["stdout"] == "1\n2\n"

    async def test_what_a_program_has_changed_in_them_stays(self, api: Api) -> None:
        upload = {"type": "container_upload", "file_id": await api.upload("a.csv", b"1\n")}
        asked = {"role": "user", "content": [{"type": "text", "text": "go"}, upload]}
        api.script(bash("echo 2 >> $INPUT_DIR/a.csv"), Answer(text="done"), bash("cat $INPUT_DIR/a.csv"))
        first = await api.ask("", messages=[asked])
        messages = [asked, {"role": "assistant", "content": first["content"]}, {"role": "user", "content": "and?"}]
        second = await api.ask("", messages=messages, container=first["container"]["id"])
        assert second["content"][1]["content"]["stdout"] == "1\n2\n"
        # A file that is given anew takes its place.
        other = {"type": "container_upload", "file_id": await api.upload("a.csv", b"3\n")}
        api.script(bash("cat $INPUT_DIR/a.csv"), Answer(text="done"))
        third = await api.ask([{"type": "text", "text": "go"}, other], container=first["container"]["id"])
        assert third["content"][1]["content"]["stdout"] == "3\n"

    async def test_a_directory_in_the_place_of_one_is_left_alone(self, api: Api) -> None:
        upload = {"type": "container_upload", "file_id": await api.upload("a.csv", b"1\n")}
        asked = {"role": "user", "content": [{"type": "text", "text": "go"}, upload]}
        api.script(bash("rm $INPUT_DIR/a.csv; mkdir $INPUT_DIR/a.csv"), Answer(text="done"), Answer(text="fine"))
        first = await api.ask("", messages=[asked])
        messages = [asked, {"role": "assistant", "content": first["content"]}, {"role": "user", "content": "and?"}]
        second = await api.ask("", messages=messages, container=first["container"]["id"])
        assert second["content"][-1]["text"] == "fine"

    async def test_in_a_new_container_they_are_there_again(self, api: Api) -> None:
        upload = {"type": "container_upload", "file_id": await api.upload("a.csv", b"1\n")}
        asked = {"role": "user", "content": [{"type": "text", "text": "go"}, upload]}
        api.script(Answer(text="done"), bash("cat $INPUT_DIR/a.csv"), Answer(text="done"))
        first = await api.ask("", messages=[asked])
        messages = [asked, {"role": "assistant", "content": first["content"]}, {"role": "user", "content": "and?"}]
        second = await api.ask("", messages=messages)
        assert second["content"][1]["content"]["stdout"] == "1\n"

    async def test_they_are_there_before_the_model_is_asked(self, api: Api) -> None:
        file_id = await api.upload("a.csv", b"1\n")
        api.script(Answer(text="done"))
        message = await api.ask([{"type": "container_upload", "file_id": file_id}, {"type": "text", "text": "go"}])
        assert message["container"] is not None
        assert [file.path for file in await api.containers.only.files("/files/input")] == ["/files/input/a.csv"]

    @pytest.mark.parametrize("owner", [None, Owner(ORGANIZATION, "wrkspc_other")])
    async def test_an_unknown_file_and_another_workspaces_are_the_same(self, api: Api, owner: Owner | None) -> None:
        file_id = "file_011CNha8iCJcU1wXNR6q4V8w" if owner is None else await api.upload("a.csv", b"1\n", owner)
        refusal = await api.refusal([{"type": "container_upload", "file_id": file_id}, {"type": "text", "text": "go"}])
        assert refusal.replace(file_id, "ID") == "404 File `ID` not found."
        assert api.containers.made == {}

    async def test_without_code_execution_there_is_no_place_for_a_file(self, api: Api) -> None:
        content = [{"type": "text", "text": "go"}, {"type": "container_upload", "file_id": "file_1"}]
        refusal = await api.refusal(content, tools=[{"name": "f", "input_schema": {"type": "object"}}])
        assert refusal.startswith("400 messages.0.content.1: ")


class TestContainers:
    async def test_a_container_keeps_its_files_for_the_next_request(self, api: Api) -> None:
        api.script(bash("echo 1 > kept"), Answer(text="done"), bash("cat kept"), Answer(text="done"))
        first = await api.ask("go")
        again: list[Any] = [first["container"]["id"], {"id": first["container"]["id"]}]
        second = await api.ask("go", container=again[0])
        assert second["content"][1]["content"]["stdout"] == "1\n"
        assert second["container"]["id"] == first["container"]["id"]
        api.script(bash("cat kept"), Answer(text="done"))
        assert (await api.ask("go", container=again[1]))["content"][1]["content"]["stdout"] == "1\n"

    async def test_each_request_has_a_new_one_otherwise(self, api: Api) -> None:
        api.script(bash("echo 1 > kept"), Answer(text="done"), bash("cat kept"), Answer(text="done"))
        await api.ask("go")
        assert (await api.ask("go"))["content"][1]["content"]["return_code"] == 1
        assert len(api.containers.made) == 2

    async def test_an_unknown_container_and_another_workspaces_are_the_same(self, api: Api) -> None:
        api.script(bash("echo 1"), Answer(text="done"))
        theirs = (await api.ask("go"))["container"]["id"]
        api.messages.key.workspace = "wrkspc_other"
        unknown = "container_011CNha8iCJcU1wXNR6q4V8w"
        refusals = [(await api.refusal(container=name)).replace(name, "ID") for name in (theirs, unknown)]
        assert refusals == ["404 Container not found: ID"] * 2

    async def test_an_expired_container_is_refused_before_the_model_is_asked(self, api: Api) -> None:
        api.script(bash("echo 1"), Answer(text="done"))
        container_id = (await api.ask("go"))["container"]["id"]
        api.containers.expired.add(container_id)
        assert (await api.refusal(container=container_id)).startswith("400 Container ")

    async def test_a_container_needs_the_code_execution_tool(self, api: Api) -> None:
        refusal = await api.refusal(tools=[{"name": "f", "input_schema": {"type": "object"}}], container="container_1")
        assert "can only be provided when using the code execution tool" in refusal

    async def test_a_machine_that_runs_no_code_says_what_to_install(self, api: Api) -> None:
        api.containers.missing = "code_execution: install bubblewrap."
        assert await api.refusal() == "400 code_execution: install bubblewrap."

    async def test_tokens_are_counted_on_a_machine_that_runs_no_code(self, api: Api) -> None:
        api.containers.missing = "code_execution: install bubblewrap."
        request = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "hi"}], "tools": [TOOL]}
        assert (await api.messages.post(request, "/v1/messages/count_tokens")).status == 200

    async def test_too_many_containers_are_the_tools_error(self, api: Api) -> None:
        api.containers.most = 0
        result = await result_of(api, bash("echo 1"))
        assert result == {"type": "bash_code_execution_tool_result_error", "error_code": "too_many_requests"}


class TestErrors:
    @pytest.mark.parametrize("given", [{}, {"command": 1}, {"command": "a\0b"}])
    async def test_a_command_that_is_none(self, api: Api, given: Block) -> None:
        result = await result_of(api, call("bash_code_execution", **given))
        assert result["error_code"] == "invalid_tool_input"

    async def test_a_program_that_is_none(self, api: Api) -> None:
        result = await result_of(api, call("code_execution"), tools=[PYTHON_TOOL])
        assert result == {"type": "code_execution_tool_result_error", "error_code": "invalid_tool_input"}

    async def test_an_endless_command_is_ended(self, data_dir: Path) -> None:
        async with tools_api(data_dir, limits=Limits(0.3, 1_000)) as api:
            result = await result_of(api, bash("while true; do :; done"))
            assert result["error_code"] == "execution_time_exceeded"
            assert api.containers.only.running == set()

    async def test_too_much_output_is_an_error_and_the_turn_goes_on(self, data_dir: Path) -> None:
        async with tools_api(data_dir, limits=Limits(20, 1_000)) as api:
            assert (await result_of(api, bash("seq 1000")))["error_code"] == "output_file_too_large"
            assert (await result_of(api, bash("yes | head -c 30000000")))["error_code"] == "output_file_too_large"

    async def test_the_python_tool_has_no_such_error_and_cuts(self, data_dir: Path) -> None:
        async with tools_api(data_dir, limits=Limits(20, 1_000)) as api:
            result = await result_of(api, call("code_execution", code="print('a' * 5000)"), tools=[PYTHON_TOOL])
            assert len(result["stdout"]) == 500
            assert "was cut" in result["stderr"]

    async def test_a_command_longer_than_an_argument_may_be(self, api: Api) -> None:
        result = await result_of(api, bash(f"echo {'a' * 150_000} | wc -c"), max_tokens=64_000)
        assert result["stdout"].strip() == "150001"

    async def test_a_command_that_fails_is_a_result(self, api: Api) -> None:
        result = await result_of(api, bash("echo no >&2; exit 3"))
        assert (result["stdout"], result["stderr"], result["return_code"]) == ("", "no\n", 3)


class TestEditor:
    async def edit(self, api: Api, *steps: Block) -> list[Block]:
        api.script(*(edits(**step) for step in steps), Answer(text="done"))
        message = await api.ask("go")
        return [block["content"] for block in message["content"] if block["type"].endswith("_result")]

    async def test_it_creates_and_shows(self, api: Api) -> None:
        created = {"command": "create", "path": "/tmp/hello.txt", "file_text": "Hello, world!"}
        results = await self.edit(api, created, created, {"command": "view", "path": "/tmp/hello.txt"})
        assert results[0] == {"type": "text_editor_code_execution_create_result", "is_file_update": False}
        assert results[1]["is_file_update"] is True
        assert results[2] == {
            "type": "text_editor_code_execution_view_result",
            "file_type": "text",
            "content": "Hello, world!",
            "num_lines": 1,
            "start_line": 1,
            "total_lines": 1,
        }

    async def test_it_shows_some_lines(self, api: Api) -> None:
        text = "".join(f"line {place}\n" for place in range(1, 11))
        created = {"command": "create", "path": "a.txt", "file_text": text}
        shown = [{"command": "view", "path": "a.txt", "view_range": given} for given in ([2, 3], [9, -1], [9, 99])]
        results = await self.edit(api, created, *shown)
        assert [(result["content"], result["start_line"], result["num_lines"]) for result in results[1:]] == [
            ("line 2\nline 3", 2, 2),
            ("line 9\nline 10", 9, 2),
            ("line 9\nline 10", 9, 2),
        ]
        assert all(result["total_lines"] == 10 for result in results[1:])

    async def test_it_replaces_and_says_what_changed(self, api: Api) -> None:
        text = "".join(f"line {place}\n" for place in range(1, 11))
        replaced = {"command": "str_replace", "path": "a.txt", "old_str": "line 5", "new_str": "line five\nand more"}
        results = await self.edit(
            api,
            {"command": "create", "path": "a.txt", "file_text": text},
            replaced,
            {"command": "view", "path": "a.txt"},
        )
        assert results[1] == {
            "type": "text_editor_code_execution_str_replace_result",
            "old_start": 2,
            "old_lines": 7,
            "new_start": 2,
            "new_lines": 8,
            "lines": [
                " line 2", " line 3", " line 4", "-line 5", "+line five", "+and more", " line 6", " line 7", " line 8",
            ],
        }  # fmt: skip
        assert "line five\nand more\n" in results[2]["content"]

    @pytest.mark.parametrize(
        ("step", "code"),
        [
            ({"command": "view", "path": "/tmp/none"}, "file_not_found"),
            ({"command": "str_replace", "path": "none", "old_str": "a"}, "file_not_found"),
            ({"command": "str_replace", "path": "a.txt", "old_str": "z"}, "invalid_tool_input"),
            ({"command": "str_replace", "path": "a.txt", "old_str": "a"}, "invalid_tool_input"),
            ({"command": "str_replace", "path": "a.txt", "old_str": ""}, "invalid_tool_input"),
            ({"command": "str_replace", "path": "a.txt"}, "invalid_tool_input"),
            ({"command": "create", "path": "/etc/passwd", "file_text": "a"}, "invalid_tool_input"),
            ({"command": "create", "path": "/tmp/../etc/x", "file_text": "a"}, "invalid_tool_input"),
            ({"command": "create", "path": "b.txt"}, "invalid_tool_input"),
            ({"command": "view", "path": "a.txt", "view_range": [3, 2]}, "invalid_tool_input"),
            ({"command": "view", "path": "a.txt", "view_range": ["a", 2]}, "invalid_tool_input"),
            ({"command": "view", "path": "/etc/passwd"}, "file_not_found"),
            ({"command": "view", "path": ["a"]}, "invalid_tool_input"),
            ({"command": "view"}, "invalid_tool_input"),
            ({"command": "undo_edit", "path": "a.txt"}, "invalid_tool_input"),
            ({}, "invalid_tool_input"),
        ],
    )
    async def test_what_cannot_be_done_is_an_error_with_its_code(self, api: Api, step: Block, code: str) -> None:
        results = await self.edit(api, {"command": "create", "path": "a.txt", "file_text": "a a\n"}, step)
        assert results[1]["type"] == "text_editor_code_execution_tool_result_error"
        assert results[1]["error_code"] == code
        assert results[1]["error_message"]

    async def test_a_picture_is_left_to_a_program(self, api: Api) -> None:
        api.script(
            bash("printf '\\x89PNG\\r\\n\\x1a\\n' > p.png"), edits(command="view", path="p.png"), Answer(text="x")
        )
        message = await api.ask("go")
        assert message["content"][3]["content"]["error_code"] == "invalid_tool_input"
        assert "image/png" in message["content"][3]["content"]["error_message"]

    async def test_a_directory_is_shown_as_its_files(self, api: Api) -> None:
        results = await self.edit(
            api,
            {"command": "create", "path": "/tmp/d/a.txt", "file_text": "a"},
            {"command": "view", "path": "/tmp/d"},
        )
        assert results[1]["content"] == "/tmp/d/a.txt"


@dataclass
class SkillFile:
    path: str
    data: bytes
    executable: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    async def open(self) -> AsyncIterator[bytes]:
        yield self.data


@dataclass
class Skill:
    name: str
    description: str
    files: list[SkillFile]
    type: str = "custom"
    skill_id: str = "skill_1"
    version: str = "skver_1"
    number: str = "1759178010641129"


@dataclass
class Shelf:
    """Implements Skills."""

    skills: list[Skill] = field(default_factory=list[Skill])

    async def resolve(self, owner: Owner, asked: Sequence[Mapping[str, Any]], /) -> Sequence[Skill]:
        found = [skill for one in asked for skill in self.skills if skill.skill_id == one["skill_id"]]
        if len(found) != len(asked):
            raise InvalidRequestError("container.skills.0: not found")
        return found


COUNTING = Skill(
    "counting-words",
    "Counts the words of a text.",
    [
        SkillFile("SKILL.md", b"# Counting\n\nRun `python3 count.py`.\n"),
        SkillFile("count.py", b"print(len('one two three'.split()), 'words')\n", executable=True),
    ],
)


class TestSkills:
    ASKED = {"skills": [{"type": "custom", "skill_id": "skill_1", "version": "latest"}]}  # noqa: RUF012

    async def test_a_skill_is_mounted_and_told_of(self, data_dir: Path) -> None:
        async with tools_api(data_dir, skills=Shelf([COUNTING])) as api:
            seen: list[Any] = []

            def reply(request: Block) -> str:
                seen.append(request["system"])
                return "done"

            api.script(bash("cat /skills/counting-words/SKILL.md"), Answer(reply=reply))
            message = await api.ask("go", container=self.ASKED, system="Be kind.")
            assert "Run `python3 count.py`" in message["content"][1]["content"]["stdout"]
            assert message["container"]["skills"] == [{"type": "custom", "skill_id": "skill_1", "version": "skver_1"}]
            told, mine = seen[0]
            assert "counting-words: Counts the words of a text." in told["text"]
            assert mine["text"] == "Be kind."

    async def test_the_old_beta_has_versions_of_its_own(self, data_dir: Path) -> None:
        async with tools_api(data_dir, skills=Shelf([COUNTING])) as api:
            api.script(Answer(text="done"))
            message = await api.ask("go", container=self.ASKED, betas="skills-2025-10-02")
            assert message["container"]["skills"][0]["version"] == "1759178010641129"

    async def test_in_a_container_that_has_it_a_skill_is_not_put_again(self, data_dir: Path) -> None:
        async with tools_api(data_dir, skills=Shelf([COUNTING])) as api:
            api.script(Answer(text="done"), Answer(text="done"))
            first = await api.ask("go", container=self.ASKED)
            place = api.containers.only.at("/skills/counting-words/count.py")
            place.write_text("changed")
            await api.ask("go", container={**self.ASKED, "id": first["container"]["id"]})
            assert place.read_text() == "changed"

    async def test_of_another_version_no_file_is_left(self, data_dir: Path) -> None:
        shelf = Shelf([COUNTING])
        async with tools_api(data_dir, skills=shelf) as api:
            api.script(Answer(text="done"), Answer(text="done"))
            first = await api.ask("go", container=self.ASKED)
            newer = replace(COUNTING, version="skver_2", files=[SkillFile("SKILL.md", b"# Newer\n")])
            shelf.skills[:] = [newer]
            message = await api.ask("go", container={**self.ASKED, "id": first["container"]["id"]})
            assert message["container"]["skills"][0]["version"] == "skver_2"
            found = await api.containers.only.files("/skills/counting-words")
            assert [file.path for file in found] == ["/skills/counting-words/SKILL.md"]

    async def test_the_simulator_uses_the_skill_that_is_named(self, data_dir: Path) -> None:
        async with tools_api(data_dir, skills=Shelf([COUNTING])) as api:
            message = await api.ask("Use the counting-words skill, please.", container=self.ASKED)
            commands = [block["input"]["command"] for block in message["content"] if block["type"] == "server_tool_use"]
            assert commands == ["cat /skills/counting-words/SKILL.md", "cd /skills/counting-words && python3 count.py"]
            assert "3 words" in message["content"][-1]["text"]

    async def test_an_unknown_skill_is_refused_before_a_container_is_made(self, data_dir: Path) -> None:
        async with tools_api(data_dir, skills=Shelf([])) as api:
            assert await api.refusal(container=self.ASKED) == "400 container.skills.0: not found"
            assert api.containers.made == {}
