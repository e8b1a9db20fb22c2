"""The Messages API with code execution, in process: files over a database, containers as directories."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asgi import ORGANIZATION, WORKSPACE, InProcess
from installations import installation
from streams import check_stream, parse_sse
from understudy.engines.engine import Engine
from understudy.engines.scenarios.engine import ScenarioEngine
from understudy.engines.scenarios.model import Answer, Rule, ToolCall
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.files.config import FilesConfig
from understudy.files.file import File
from understudy.files.service import Described, FileService
from understudy.http.principal import Owner
from understudy.messages.fold import Fold
from understudy.settings import SimulatorSettings
from understudy.storage.blob_writer import BlobWriter
from understudy.storage.blobs import Blobs
from understudy.tools.code_execution.session import CodeExecution, Limits
from understudy.tools.code_execution.skills import Skills
from understudy.tools.programmatic.lot import Lot
from understudy.tools.protocol import ServerTool
from understudy.tools.running import ServerTools
from understudy.tools.web.sealed import Sealed

from .fakes import DirectoryContainers

Block = dict[str, Any]

MODEL = "claude-sonnet-5-5"
TOOL: Block = {"type": "code_execution_20250825", "name": "code_execution"}
PYTHON_TOOL: Block = {"type": "code_execution_20250522", "name": "code_execution"}
SEALED = Sealed([("tests", b"k" * 32)])
OWNER = Owner(ORGANIZATION, WORKSPACE)


@dataclass
class Api:
    """`scenarios` script the engine, which is else the simulator."""

    messages: InProcess
    containers: DirectoryContainers
    files: FileService
    scenarios: Scenarios
    tool: CodeExecution

    async def ask(self, content: str | list[Block], *, tools: Sequence[Block] = (TOOL,), **more: Any) -> Block:
        """The whole answer to one question, or to a conversation in `messages`."""
        betas = {"anthropic_beta": more.pop("betas")} if "betas" in more else {}
        answer = await self.messages.post(asking(content, tools, **more), **betas)
        assert answer.status == 200, answer.body
        return answer.json()

    async def stream(self, content: str | list[Block], *, tools: Sequence[Block] = (TOOL,), **more: Any) -> list[Block]:
        """The events of the answer, each stream being held against the automaton."""
        betas = {"anthropic_beta": more.pop("betas")} if "betas" in more else {}
        answer = await self.messages.post(asking(content, tools, **more) | {"stream": True}, **betas)
        assert answer.status == 200, answer.body
        events = parse_sse(answer.body)
        check_stream(events)
        return events

    async def refusal(self, content: str | list[Block] = "hi", *, tools: Sequence[Block] = (TOOL,), **more: Any) -> str:
        """Status and message of a refusal."""
        answer = await self.messages.post(asking(content, tools, **more))
        assert answer.status >= 400, answer.body
        return f"{answer.status} {answer.json()['error']['message']}"

    async def upload(self, name: str, data: bytes, owner: Owner = OWNER) -> str:
        async def fill(writer: BlobWriter) -> Described:
            await writer.write(data)
            return Described(name, "text/csv")

        return (await self.files.create(owner, fill)).id

    async def file(self, file_id: str) -> tuple[File, bytes]:
        """A file and its bytes."""
        file = await self.files.usable(WORKSPACE, file_id)
        return file, await self.files.read(file)

    def script(self, *answers: Answer) -> None:
        """What the engine says, one answer a call."""
        self.scenarios.add(Rule(answer=answers))


def asking(content: str | list[Block], tools: Sequence[Block] = (TOOL,), **more: Any) -> Block:
    messages = more.pop("messages", [{"role": "user", "content": content}])
    return {"model": MODEL, "max_tokens": 4096, "messages": messages, "tools": list(tools), **more}


def folded(events: list[Block]) -> Block:
    fold = Fold()
    fold.add_all(events)
    return fold.message


def bash(command: str) -> Answer:
    """A scripted call of bash."""
    return call("bash_code_execution", command=command)


def edits(**given: Any) -> Answer:
    """A scripted call of the text editor."""
    return call("text_editor_code_execution", **given)


def call(name: str, **given: Any) -> Answer:
    return Answer(tool_calls=(ToolCall(name=name, input=given),))


@asynccontextmanager
async def tools_api(
    data_dir: Path,
    *,
    skills: Skills | None = None,
    engine: Engine | None = None,
    limits: Limits | None = None,
    others: Sequence[ServerTool] = (),
    waiting: int = 4,
    wait: float = 5,
    seconds: float = 8,
) -> AsyncGenerator[Api]:
    async with installation(data_dir) as (db, root):
        files = FileService(db, Blobs(None, data_dir), root, FilesConfig())
        containers = DirectoryContainers(data_dir / "containers")
        lot = Lot(containers, waiting, wait=wait, seconds=seconds)
        tool = CodeExecution(containers, files, skills, limits or Limits(20, 100_000), SEALED, lot)
        scenarios = Scenarios(100)
        wrapped = ScenarioEngine(engine or SimulatorEngine(SimulatorSettings()), scenarios)
        messages = InProcess(wrapped, tools=ServerTools([tool, *others]), sealed=SEALED)
        try:
            yield Api(messages, containers, files, scenarios, tool)
        finally:
            await tool.close()
