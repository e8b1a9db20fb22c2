"""Abuse cases 22, 54 and 55 of the platform's list, as far as a request reaches them; 17 and the rest of 22 are in
test_code_execution.py, the container's own walls in tests/sandbox."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from servers import RunningServer

from .real import MODEL, TOOLS, asked, client, results


def run(server: RunningServer, command: str, container: str | None = None) -> Any:
    """The answer to a request whose command the simulator runs."""
    more: Any = {} if container is None else {"container": container}
    return client(server).messages.create(
        model=MODEL, max_tokens=4_000, tools=TOOLS, messages=asked(f"Run the command `{command}`."), **more
    )


def test_54_an_endless_loop_is_ended_and_the_answer_comes(runs_code: RunningServer) -> None:
    began = time.monotonic()
    message = run(runs_code, "while true; do :; done")
    assert results(message)[0].error_code == "execution_time_exceeded"
    assert message.content[-1].type == "text"
    assert time.monotonic() - began < 20


def test_54_a_fork_bomb_ends_with_its_command(runs_code: RunningServer) -> None:
    message = run(runs_code, "b() { b | b & }; b; sleep 1; echo over")
    assert message.stop_reason == "end_turn"
    assert "4" in results(run(runs_code, "echo $((2 + 2))"))[0].stdout


def test_54_ten_gigabytes_of_output_cost_the_server_nothing(runs_code: RunningServer) -> None:
    server = psutil.Process(runs_code.pid)
    before = server.memory_info().rss
    message = run(runs_code, "head -c 10000000000 /dev/zero")
    assert results(message)[0].type == "bash_code_execution_tool_result_error"
    assert server.memory_info().rss - before < 64 * 1024 * 1024


def test_54_a_full_disk_is_the_containers_own(runs_code: RunningServer) -> None:
    message = run(runs_code, "head -c 20000000000 /dev/zero > big; rm -f big; echo over")
    assert message.stop_reason == "end_turn"
    assert results(run(runs_code, "echo 1"))[0].stdout == "1\n"


def test_54_outputs_are_plain_files_and_not_too_many(runs_code: RunningServer) -> None:
    command = "cd $OUTPUT_DIR; ln -s /etc/passwd a; ln /etc/hostname b; mkfifo c; mkdir d; echo 1 > d/e; echo 1 > f; ls"
    result = results(run(runs_code, command))[0]
    assert len(result.content) == 1
    assert client(runs_code).files.retrieve_metadata(result.content[0].file_id).filename == "f"
    many = results(run(runs_code, "cd $OUTPUT_DIR; for n in $(seq 300); do echo $n > $n; done"))[0]
    assert len(many.content) == 100
    assert "Only 100 of 300 files were passed on." in many.stderr


def test_54_a_directory_that_is_swapped_for_a_link_leads_nowhere(runs_code: RunningServer) -> None:
    result = results(run(runs_code, "rmdir $OUTPUT_DIR; ln -s /etc $OUTPUT_DIR; ls -d $OUTPUT_DIR"))[0]
    assert result.content == []


def test_54_there_is_no_secret_in_the_environment(runs_code: RunningServer) -> None:
    printed = results(run(runs_code, "env; cat /proc/1/environ | tr \\\\0 \\\\n; id -u"))[0].stdout
    assert "UNDERSTUDY" not in printed
    assert runs_code.api_key not in printed


def test_55_two_containers_see_nothing_of_each_other(runs_code: RunningServer) -> None:
    run(runs_code, "echo secret-of-one > /tmp/one; echo secret-of-one > /files/one; echo 1 > $HOME/one")
    printed = results(run(runs_code, "ls /tmp /files $HOME; ps aux 2>/dev/null; ls /proc | wc -l; ls /dev/shm"))[0]
    assert "one" not in printed.stdout.split()


def test_22_requests_for_one_container_run_one_after_the_other(runs_code: RunningServer) -> None:
    container = run(runs_code, "echo 0 > count").container
    assert container is not None

    def add(_: int) -> Any:
        return run(runs_code, "n=$(cat count); sleep 0.05; echo $((n + 1)) > count; cat count", container.id)

    with ThreadPoolExecutor(6) as pool:
        counts = [results(message)[0].stdout.strip() for message in pool.map(add, range(6))]
    assert sorted(counts) == ["1", "2", "3", "4", "5", "6"]
