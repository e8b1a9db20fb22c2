"""`understudy sandbox`: what containers need, made and looked at."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from understudy.app.sandbox import sandbox_config
from understudy.sandbox.build import BuildError, is_current, missing_programs
from understudy.sandbox.build import build as build_environment
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.machine import container_python
from understudy.sandbox.place import Place
from understudy.settings import Settings, SettingsError, load_settings

_FEATURE_OFF = "code execution is switched off (sandbox.mode)"


def build(config: Path | None, data_dir: Path | None) -> None:
    """Raises SettingsError when it cannot be done."""
    settings = load_settings(config, {"storage": {"data_dir": data_dir}})
    root = settings.storage.data_dir.expanduser() / "sandbox"
    sandbox = sandbox_config(settings)
    try:
        if sandbox.driver == "docker":
            if sandbox.docker_image is not None:
                print(f"Containers have what is in the image {sandbox.docker_image}; there is nothing to make.")
                return
            from understudy.sandbox.docker import examine as examine_docker

            print(f"Docker's image of containers: {examine_docker(sandbox, '').image}")
        made = build_environment(root, container_python(settings.sandbox.python), print)
    except (BuildError, SandboxUnavailableError, OSError) as error:
        raise SettingsError(f"The containers' packages cannot be made: {error}") from None
    print(f"Containers that start from now on have the packages in {made}. Those awake now have none until they sleep.")
    for program in missing_programs():
        print(f"Not on this machine: {program.command}, which {program.purpose}; apt-get install {program.package}")


def examine(settings: Settings) -> tuple[bool, list[str]]:
    """For `doctor`: whether code can be run, and what is to be said about it."""
    if settings.sandbox.mode == "off":
        return True, [_FEATURE_OFF]
    from understudy.sandbox.drivers import NAMES, others
    from understudy.sandbox.readiness import report

    config = sandbox_config(settings)
    also = [f"{NAMES[driver]} is here too: sandbox.driver = {driver}" for driver in others(config)]
    # Not in the data directory: what a running server keeps there is its own.
    with tempfile.TemporaryDirectory(prefix="understudy-") as directory:
        try:
            machine = asyncio.run(report(config, Path(directory)))
        except SandboxUnavailableError as error:
            # Without code execution everything else works.
            return settings.sandbox.mode != "on" and settings.sandbox.require != "strict", [
                f"code execution is not available: {error}",
                *also,
            ]
    lines = [f"code is run in containers of the {machine.tier} tier, made by {NAMES[machine.driver]}"]
    lines += [f"weaker than strict: {one}" for one in machine.weaker] + also
    if not machine.shares_system:
        return True, [*lines, f"containers have what is in the image {settings.sandbox.docker_image}"]
    environment = Place(settings.storage.data_dir.expanduser() / "sandbox").environment
    if environment is None:
        lines.append(
            "containers have Python without packages; to have openpyxl, pandas and the others: understudy sandbox build"
        )
    elif not is_current(environment):
        lines.append("the containers' packages are of another version; to make them anew: understudy sandbox build")
    for program in missing_programs():
        lines.append(
            f"containers have no {program.command}, which {program.purpose}: apt-get install {program.package}"
        )
    return True, lines
