"""Who is measured: each a process of its own, configured for speed as its makers say, in front of one fake upstream."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from benchmarks.load import CLAUDE_DELTA, Load
from benchmarks.node_packages import environment, installed, node
from benchmarks.rounds import Shape
from benchmarks.servers import BenchmarkError, Server, load_cores, start_peer, start_python, start_understudy

from .requests import chat_body, claude_body

Target: TypeAlias = Literal["Claude", "OpenAI"]

_PINS = Path(__file__).with_name("pins")
_CHAT_DELTA = '"delta":{"content":" '
_MODEL = "claude-sonnet-4-5"
_INSTALL_TIMEOUT = 600.0


@dataclass(frozen=True)
class Party:
    """A server, and how it is asked. `chat`: as a server of chat completions, since it has no other way in."""

    name: str
    target: Target
    server: Server
    path: str = "/v1/messages"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    chat: bool = False

    def load(self, shape: Shape) -> Load:
        body = chat_body if self.chat else claude_body
        return Load(
            host=self.server.host,
            port=self.server.port,
            body=body(stream=shape.words > 0, agent=shape.agent),
            headers={**self.server.headers, **self.headers},
            connections=shape.connections,
            requests=shape.requests,
            seconds=shape.seconds,
            stream=shape.words > 0,
            path=self.path,
            delta=_CHAT_DELTA if self.chat else CLAUDE_DELTA,
        )


@dataclass(frozen=True)
class Candidate:
    """Somebody who can be started. `start` is given a directory of its own and the upstream's port."""

    name: str
    target: Target
    start: Callable[[Path, int], Party]


def start_upstream(directory: Path) -> Server:
    """The fake upstream, on the load generator's core."""
    return start_python("upstream", ["-m", "benchmarks.gateways.upstream"], directory, {}, load_cores())


def _byte_proxy(directory: Path, port: int) -> Party:
    command = ["-m", "benchmarks.gateways.byte_proxy", "--upstream-port", str(port)]
    return Party("byte proxy", "Claude", start_python("byte-proxy", command, directory, {}))


def _understudy(target: Target) -> Callable[[Path, int], Party]:
    def start(directory: Path, port: int) -> Party:
        kind, base = ("claude", "") if target == "Claude" else ("openai", "/v1")
        config = directory / "understudy.toml"
        config.write_text(
            f"""
[models]
simulator = false

[[models.map]]
name = "{_MODEL}"
targets = [{{ engine = "upstream", model = "fake-1" }}]

[engines.upstream]
kind = "{kind}"
base_url = "http://127.0.0.1:{port}{base}"
api_key = "none"
""",
            encoding="utf-8",
        )
        server = start_understudy(directory, directory / "data", {"UNDERSTUDY_CONFIG": str(config)})
        return Party("Understudy", target, server)

    return start


def _litellm(target: Target) -> Callable[[Path, int], Party]:
    def start(directory: Path, port: int) -> Party:
        upstream = f"http://127.0.0.1:{port}"
        if target == "Claude":
            params = {"model": f"anthropic/{_MODEL}", "api_base": upstream, "api_key": "none"}
        else:
            params = {"model": "hosted_vllm/fake-1", "api_base": f"{upstream}/v1", "api_key": "none"}
        config: dict[str, Any] = {
            "model_list": [{"model_name": _MODEL, "litellm_params": params}],
            "litellm_settings": {"set_verbose": False, "num_retries": 0, "request_timeout": 600},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        }
        # JSON is YAML too.
        file = directory / "litellm.yaml"
        file.write_text(json.dumps(config), encoding="utf-8")
        key = f"sk-{secrets.token_hex(24)}"
        env = {
            "HOME": str(directory),
            "LITELLM_MASTER_KEY": key,
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        program = _installed_litellm() / "bin" / "litellm"

        def command(free: int) -> list[str]:
            told = ["--config", str(file), "--host", "127.0.0.1", "--port", str(free), "--num_workers", "1"]
            return [str(program), *told]

        server = start_peer("litellm", command, directory, env, ready_path="/health/liveliness", api_key=key)
        return Party("LiteLLM", target, server)

    return start


def _installed_litellm() -> Path:
    """An environment with what `pins/litellm` says."""
    folder = _PINS / "litellm"
    made = folder / ".venv"
    stamp = made / ".installed"
    pins = hashlib.sha256((folder / "requirements.txt").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != pins:
        pip = [str(made / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(made)],
            [*pip, "--requirement", str(folder / "requirements.txt")],
        ):
            done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT, check=False)
            if done.returncode:
                raise BenchmarkError(f"litellm cannot be installed: {done.stderr[-2000:]}")
        stamp.write_text(pins)
    return made


def _portkey(target: Target) -> Callable[[Path, int], Party]:
    def start(directory: Path, port: int) -> Party:
        script = installed(_PINS / "portkey") / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        preload = Path(__file__).with_name("loopback.cjs")

        def command(free: int) -> list[str]:
            return [str(node()), "--require", str(preload), str(script), "--headless", f"--port={free}"]

        env = {**environment(), "NODE_ENV": "production"}
        server = start_peer("portkey", command, directory, env, ready_path="/", api_key="none")
        headers = {
            "authorization": "Bearer none",
            "x-portkey-provider": "anthropic" if target == "Claude" else "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{port}/v1",
        }
        if target == "Claude":
            return Party("Portkey", target, server, headers=headers)
        return Party("Portkey", target, server, "/v1/chat/completions", headers, chat=True)

    return start


def _claude_code_router(directory: Path, port: int) -> Party:
    script = installed(_PINS / "claude-code-router") / "@musistudio" / "claude-code-router" / "dist" / "cli.js"
    folder = directory / ".claude-code-router"
    folder.mkdir(parents=True, exist_ok=True)

    def command(free: int) -> list[str]:
        provider: dict[str, Any] = {
            "name": "fake",
            "api_base_url": f"http://127.0.0.1:{port}/v1/chat/completions",
            "api_key": "none",
            "models": ["fake-1"],
        }
        config: dict[str, Any] = {
            "LOG": False,
            "HOST": "127.0.0.1",
            "PORT": free,
            "NON_INTERACTIVE_MODE": True,
            "Providers": [provider],
            "Router": {"default": "fake,fake-1"},
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return [str(node()), str(script), "start"]

    env = {**environment(), "HOME": str(directory), "NODE_ENV": "production"}
    server = start_peer("claude-code-router", command, directory, env, ready_path="/health", api_key="none")
    return Party("claude-code-router", "OpenAI", server)


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("byte proxy", "Claude", _byte_proxy),
    Candidate("Understudy", "Claude", _understudy("Claude")),
    Candidate("Understudy", "OpenAI", _understudy("OpenAI")),
    Candidate("LiteLLM", "Claude", _litellm("Claude")),
    Candidate("LiteLLM", "OpenAI", _litellm("OpenAI")),
    Candidate("Portkey", "Claude", _portkey("Claude")),
    Candidate("Portkey", "OpenAI", _portkey("OpenAI")),
    Candidate("claude-code-router", "OpenAI", _claude_code_router),
)
