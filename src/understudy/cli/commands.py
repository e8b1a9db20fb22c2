"""What the command line offers. The work is in the modules beside this one, imported when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from understudy import __version__

app = typer.Typer(
    name="understudy",
    help="The Claude API on your own machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
files_app = typer.Typer(help="Store, list, fetch and delete files of the Files API.", no_args_is_help=True)
app.add_typer(files_app, name="files")
skills_app = typer.Typer(help="Store, list, fetch and delete skills of the Skills API.", no_args_is_help=True)
app.add_typer(skills_app, name="skills")
sandbox_app = typer.Typer(help="What containers need in which code is run.", no_args_is_help=True)
app.add_typer(sandbox_app, name="sandbox")
batches_app = typer.Typer(help="Follow and cancel Message Batches, and fetch their results.", no_args_is_help=True)
app.add_typer(batches_app, name="batches")
console_app = typer.Typer(help="Ways into the Console.", no_args_is_help=True)
app.add_typer(console_app, name="console")

Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="TOML file with settings.", envvar="UNDERSTUDY_CONFIG")
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Where the embedded database and root secret live.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"understudy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """The Claude API on your own machines."""
    del version


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: DataDir = None,
    config: Config = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="What answers: the built-in `simulator`, a GGUF file, or a Hugging Face repository (org/name).",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes that share the port.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM certificate chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM private key.")] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write url, api_key, admin_key and pid as JSON here once connections are accepted. "
            "The keys replace those of the last such start.",
        ),
    ] = None,
    fresh_key: Annotated[
        bool, typer.Option("--fresh-key", help="Make and print a key at every start; it replaces the last such key.")
    ] = False,
) -> None:
    """Start the server."""
    from understudy.cli.lean import import_libraries_alone

    import_libraries_alone()
    from understudy.cli.serve import run_server

    flags: dict[str, dict[str, Any]] = {
        "server": {"host": host, "port": port, "workers": workers, "tls_cert": tls_cert, "tls_key": tls_key},
        "storage": {"data_dir": data_dir},
        "models": {"engine": model},
    }
    run_server(config, flags, ready_file=ready_file, fresh_key=fresh_key)


@app.command()
def worker(
    data_dir: DataDir = None,
    config: Config = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests of batches that are under way at once.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port of 127.0.0.1 for /metrics and /readyz; 0 takes a free one. Default: none.")
    ] = None,
) -> None:
    """Work off message batches, beside servers with the same database and blobs."""
    from understudy.cli.lean import import_libraries_alone

    import_libraries_alone()
    from understudy.cli.batch_worker import run_worker

    flags = {"storage": {"data_dir": data_dir}, "batches": {"concurrency": concurrency}}
    run_worker(config, flags, metrics_port=metrics_port)


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "cli",
    admin: Annotated[bool, typer.Option("--admin", help="An admin key instead of an API key.")] = False,
    expires_in_days: Annotated[float | None, typer.Option(min=0, help="Days until the key expires.")] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Make a key and print it. It is shown this once."""
    from understudy.cli.keys import create

    create(config, data_dir, name, admin, expires_in_days)


@keys_app.command("list")
def keys_list(data_dir: DataDir = None, config: Config = None) -> None:
    """Show all keys, without their secrets."""
    from understudy.cli.keys import show

    show(config, data_dir)


@keys_app.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, apikey_…")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Revoke a key for ever. Running servers refuse it within a second."""
    from understudy.cli.keys import revoke

    revoke(config, data_dir, key_id)


Workspace = Annotated[
    str | None, typer.Option("--workspace", metavar="ID", help="Whose files: wrkspc_…. Default: the default workspace.")
]


@files_app.command("list")
def files_list(workspace: Workspace = None, data_dir: DataDir = None, config: Config = None) -> None:
    """Show a workspace's files, newest first."""
    from understudy.cli.files import show

    show(config, data_dir, workspace)


@files_app.command("upload")
def files_upload(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What to store.")],
    media_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Its media type. Default: by its bytes and name.")
    ] = None,
    expires_in_seconds: Annotated[
        int | None, typer.Option(min=3_600, max=7_776_000, help="Seconds until it expires.")
    ] = None,
    workspace: Workspace = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Store a file and print its id."""
    from understudy.cli.files import upload

    upload(config, data_dir, workspace, path, media_type, expires_in_seconds)


@files_app.command("download")
def files_download(
    file_id: Annotated[str, typer.Argument(metavar="ID", help="The file's id, file_…")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where to. Default: its name, here; - is stdout.")
    ] = None,
    workspace: Workspace = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Fetch a file, an uploaded one too. A file that is there already is not written over."""
    from understudy.cli.files import download

    download(config, data_dir, workspace, file_id, to)


@files_app.command("delete")
def files_delete(
    file_id: Annotated[str, typer.Argument(metavar="ID", help="The file's id, file_…")],
    workspace: Workspace = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Delete a file for ever."""
    from understudy.cli.files import delete

    delete(config, data_dir, workspace, file_id)


BatchWorkspace = Annotated[
    str | None,
    typer.Option("--workspace", metavar="ID", help="Whose batches: wrkspc_…. Default: the default workspace."),
]
BatchId = Annotated[str, typer.Argument(metavar="ID", help="The batch's id, msgbatch_…")]


@batches_app.command("list")
def batches_list(workspace: BatchWorkspace = None, data_dir: DataDir = None, config: Config = None) -> None:
    """Show a workspace's batches, newest first, and how far they are."""
    from understudy.cli.batches import show_all

    show_all(config, data_dir, workspace)


@batches_app.command("show")
def batches_show(
    batch_id: BatchId,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it until it has ended.")] = False,
    workspace: BatchWorkspace = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Show how far a batch is."""
    from understudy.cli.batches import show

    show(config, data_dir, workspace, batch_id, wait=wait)


@batches_app.command("cancel")
def batches_cancel(
    batch_id: BatchId, workspace: BatchWorkspace = None, data_dir: DataDir = None, config: Config = None
) -> None:
    """Have a batch end early: requests that were not begun are canceled."""
    from understudy.cli.batches import cancel

    cancel(config, data_dir, workspace, batch_id)


@batches_app.command("results")
def batches_results(
    batch_id: BatchId,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to. Default: stdout.")] = None,
    workspace: BatchWorkspace = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Write the results of a batch that has ended, a JSON object a line."""
    from understudy.cli.batches import results

    results(config, data_dir, workspace, batch_id, to)


@sandbox_app.command("build")
def sandbox_build(data_dir: DataDir = None, config: Config = None) -> None:
    """Fetch the Python packages that code in containers finds, from PyPI."""
    from understudy.cli.sandbox import build

    build(config, data_dir)


SkillsWorkspace = Annotated[
    str | None,
    typer.Option("--workspace", metavar="ID", help="Whose skills: wrkspc_…. Default: the default workspace."),
]


@skills_app.command("list")
def skills_list(workspace: SkillsWorkspace = None, data_dir: DataDir = None, config: Config = None) -> None:
    """Show a workspace's skills, newest first, and the prebuilt ones."""
    from understudy.cli.skills import show

    show(config, data_dir, workspace)


@skills_app.command("upload")
def skills_upload(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A directory with SKILL.md in it, or a zip of one.")],
    skill_id: Annotated[
        str | None, typer.Option("--skill", metavar="ID", help="Make a new version of this skill, skill_….")
    ] = None,
    display_name: Annotated[
        str | None, typer.Option("--display-name", metavar="NAME", help="What lists show. Default: its name.")
    ] = None,
    workspace: SkillsWorkspace = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Store a skill, or a new version of one, and print its id."""
    from understudy.cli.skills import upload

    upload(config, data_dir, workspace, path, skill_id, display_name)


@skills_app.command("download")
def skills_download(
    skill_id: Annotated[str, typer.Argument(metavar="ID", help="The skill's id, skill_…, or pptx, xlsx, docx, pdf.")],
    version: Annotated[str, typer.Option("--version", metavar="ID", help="Its version, skver_….")] = "latest",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where to. Default: its name, here; - is stdout.")
    ] = None,
    workspace: SkillsWorkspace = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Fetch a skill as a zip archive. A file that is there already is not written over."""
    from understudy.cli.skills import download

    download(config, data_dir, workspace, skill_id, version, to)


@skills_app.command("delete")
def skills_delete(
    skill_id: Annotated[str, typer.Argument(metavar="ID", help="The skill's id, skill_….")],
    version: Annotated[
        str | None, typer.Option("--version", metavar="ID", help="Only this version of it, skver_….")
    ] = None,
    workspace: SkillsWorkspace = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Delete a skill with all its versions, or one version, for ever."""
    from understudy.cli.skills import delete

    delete(config, data_dir, workspace, skill_id, version)


@app.command()
def record(
    upstream: Annotated[str, typer.Option(metavar="URL", help="The API to carry requests to, without /v1.")],
    into: Annotated[Path, typer.Option(metavar="FILE", help="Exchanges are added to its end, without secrets.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8485,
) -> None:
    """Carry requests to a Claude API and write down what was said, for `replay`."""
    from understudy.cli.record import record as run

    run(upstream, into, host, port)


@app.command()
def replay(
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="What `record` wrote.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8485,
    timing: Annotated[bool, typer.Option("--timing", help="Streams come as slowly as they were recorded.")] = False,
) -> None:
    """Answer from a recording, without any network."""
    from understudy.cli.replay import replay as run

    run(source, host, port, timing=timing)


@app.command()
def doctor(data_dir: DataDir = None, config: Config = None) -> None:
    """Check the installation, and say what is missing and how to get it."""
    from understudy.cli.doctor import examine

    raise typer.Exit(examine(config, data_dir))


@console_app.command("link")
def console_link(
    email: Annotated[
        str | None,
        typer.Option(help="Whose link. Default: the first user's, or else the administrator's of longest standing."),
    ] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Print a link that signs in once: for the first user, and for who has forgotten a password."""
    from understudy.cli.console import link

    link(config, data_dir, email)
