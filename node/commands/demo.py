"""The demo: a node, a small PACS and a synthetic case, from C-STORE to the report back in the PACS."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydicom import dcmread
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from node.adapters.demo_pacs import DemoPacs
from node.adapters.storage_scu import Sendable
from node.bootstrap.stores import open_stores
from node.commands.own import own_address, own_scu
from node.commands.views import coloured, history_table, score_text
from node.ports import CaseDetail, Ledger
from node.settings import Settings, load_settings
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, PARAMETRIC_MAP

_START_TIMEOUT_S: Final = 60.0
_CASE_TIMEOUT_S: Final = 600.0
_ENDED: Final = frozenset({CaseState.COMMITTED, CaseState.REJECTED, CaseState.FAILED})
_FIRST_FEATURES: Final = 10


def run_demo(folder: Path, console: Console, *, once: bool) -> int:
    """Run the demo in `folder`; the exit code is 0 when SR and Parametric Map are back in the PACS."""
    with _locked(folder) as free:
        if not free:
            console.print(f"Another demo runs in {folder}. Choose another one with --folder.")
            return 1
        _empty(folder)
        pacs = DemoPacs(folder / "pacs", commits=True)
        config = _write_config(folder, pacs_port=pacs.start())
        settings = load_settings(config, environment={})
        console.print(f"[bold]pulmonode demo[/bold]   files in {folder}")
        try:
            with _node(config, folder / "node.log") as process:
                code = _show(settings, folder, pacs, process, console)
                if code == 0 and not once:
                    _stay(process, settings, config, console)
                return code
        finally:
            pacs.stop()


def _show(settings: Settings, folder: Path, pacs: DemoPacs, process: subprocess.Popen[bytes], console: Console) -> int:
    with console.status("Making a synthetic chest CT with a lesion"):
        files = _make_case(folder / "sent")
    console.print(f"[green]✓[/green] synthetic case: {len(files) - 1} CT slices and a segmentation of one lesion")
    with console.status("Starting the node"):
        if not _answers(settings, process):
            console.print(f"[red]The node did not start.[/red] See {folder / 'node.log'}.")
            return 1
    node = own_address(settings)
    console.print(
        f"[green]✓[/green] node {node.ae_title} listens on {node.host}:{node.port}, demo PACS {pacs.ae_title} beside it"
    )
    if not _send(settings, files, console):
        return 1
    detail = _follow(open_stores(settings).ledger, process, console)
    if detail is None or detail.row.state is not CaseState.COMMITTED:
        why = "" if detail is None else f"{detail.row.code} {detail.row.reason}"
        console.print(f"[red]The case did not end well.[/red] {why} See {folder / 'node.log'}.")
        return 1
    return _print_results(detail, pacs, console)


def _make_case(folder: Path) -> list[Path]:
    # imported here: the phantom needs highdicom, which takes longer to load than the node needs to start
    from pipelines.phantom.chest import chest_phantom
    from pipelines.phantom.dicom import ct_instances, part10, phantom_segmentation
    from pipelines.phantom.settings import PhantomSettings

    phantom = chest_phantom(PhantomSettings())
    ct = ct_instances(phantom)
    named = {f"ct-{number:03}.dcm": instance for number, instance in enumerate(ct, start=1)}
    named["segmentation.dcm"] = phantom_segmentation(phantom, ct)
    folder.mkdir(parents=True)
    for name, instance in named.items():
        (folder / name).write_bytes(part10(instance))
    return [folder / name for name in named]


def _send(settings: Settings, files: Sequence[Path], console: Console) -> bool:
    offered = []
    for path in files:
        meta = dcmread(path, stop_before_pixels=True).file_meta
        offered.append(Sendable(path, meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID))
    columns = (TextColumn("Sending by C-STORE"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("send", total=len(offered))
        for answer in own_scu(settings).send_files(own_address(settings), offered):
            if answer.fault is not None:
                console.print(f"[red]Not stored:[/red] {answer.fault}")
                return False
            progress.advance(task)
    console.print(f"[green]✓[/green] {len(offered)} instances sent by C-STORE, each acknowledged when it was durable")
    return True


def _follow(ledger: Ledger, process: subprocess.Popen[bytes], console: Console) -> CaseDetail | None:
    """Print each state of the first case as it is reached, until it or the node ends."""
    deadline = time.monotonic() + _CASE_TIMEOUT_S
    seen = 0
    detail = None
    with console.status("") as status:
        while time.monotonic() < deadline and process.poll() is None:
            detail = ledger.detail(CaseId(1))
            if detail is not None:
                for event in detail.events[seen:]:
                    at = event.at.astimezone().strftime("%H:%M:%S")
                    state = coloured(CaseState(event.state))
                    console.print(Text.assemble(("✓ ", "green"), f"{at}  ", state, f"  {event.detail}"))
                seen = len(detail.events)
                if detail.row.state in _ENDED:
                    return detail
                status.update(f"{detail.row.state.value}: {detail.row.reason}")
            time.sleep(0.2)
    return detail


def _print_results(detail: CaseDetail, pacs: DemoPacs, console: Console) -> int:
    stored = pacs.stored()
    mine = {row.result.sop_instance: row.result for row in detail.results}
    back = {uid: stored[uid] for uid in mine if uid in stored}
    classes = {sop_class for sop_class, _ in back.values()}
    console.print()
    console.print(f"[bold]Case {detail.row.case}[/bold]  study {detail.row.study}")
    console.print(history_table(detail))
    if detail.row.score is not None:
        console.print(score_text(detail.row.score))
    for measured in detail.measurements:
        table = Table(
            title=f"Lesion {measured.lesion_number}: {measured.volume_ml:.2f} ml, {len(measured.features):,} features, "
            f"the first {_FIRST_FEATURES}",
            title_justify="left",
            header_style="bold",
        )
        table.add_column("Feature")
        table.add_column("Value", justify="right")
        for name, value in measured.features[:_FIRST_FEATURES]:
            table.add_row(name, f"{value:.6g}")
        console.print(table)
    console.print(f"[bold]In {pacs.ae_title}[/bold]")
    for uid, (_, path) in back.items():
        header = dcmread(path, stop_before_pixels=True, specific_tags=["SeriesDescription"])
        console.print(f"{mine[uid].kind:12} {header.get('SeriesDescription', '')}")
        console.print(f"{'':12} {path}", soft_wrap=True)
    complete = len(back) == len(mine) and {COMPREHENSIVE_3D_SR, PARAMETRIC_MAP} <= classes
    if not complete:
        console.print("[red]Not every result has arrived in the PACS.[/red]")
    return 0 if complete else 1


def _stay(process: subprocess.Popen[bytes], settings: Settings, config: Path, console: Console) -> None:
    node = own_address(settings)
    console.print()
    console.print(
        f"The node goes on: AE {node.ae_title} at {node.host}:{node.port}. Ctrl-C stops it. In another terminal:"
    )
    # ./run says how it was called; an installed node is on the path
    command = os.environ.get("PULMONODE_COMMAND", "pulmonode")
    for verb in ("status", "status 1", "submit FOLDER", "doctor"):
        console.print(f"  {command} --config {config} {verb}", soft_wrap=True)
    try:
        process.wait()
    except KeyboardInterrupt:
        console.print("Stopping.")


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _empty(folder: Path) -> None:
    """Remove what an earlier demo left, and nothing else."""
    for name in ("data", "pacs", "sent"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("node.toml", "node.log"):
        (folder / name).unlink(missing_ok=True)


def _write_config(folder: Path, *, pacs_port: int) -> Path:
    path = folder / "node.toml"
    data = json.dumps(str(folder / "data"))  # a JSON string is a TOML string too
    path.write_text(
        "# Configuration of the demo; `pulmonode demo` writes it anew at each start.\n"
        f"[node]\nport = {_free_port()}\ndata_dir = {data}\n\n[monitoring]\nport = 0\n\n"
        "[assembly]\n# the demo case is sent over loopback in a second or two\nseries_quiet_s = 2\ntick_s = 0.2\n\n"
        "[receive]\nmin_free_mb = 100\n\n"
        '[delivery]\ndestinations = ["DEMOPACS"]\n\n'
        f'[[peers]]\nname = "DEMOPACS"\nae_title = "DEMOPACS"\nhost = "127.0.0.1"\nport = {pacs_port}\n',
        encoding="utf-8",
    )
    return path


def _free_port() -> int:
    """The usual DICOM port, or any other when that is taken."""
    for port in (11112, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            free: int = probe.getsockname()[1]
            return free
    raise RuntimeError("no free port")


@contextmanager
def _node(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "node", "--config", str(config), "serve"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, start_new_session=True, env=_plain_environment()
        )
        previous = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield process
        finally:
            signal.signal(signal.SIGTERM, previous)
            process.terminate()
            process.wait()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _plain_environment() -> dict[str, str]:
    """The environment without settings of another node."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("PULMONODE_")}


def _answers(settings: Settings, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            listening = probe.connect_ex(("127.0.0.1", settings.node.port)) == 0
        if listening and own_scu(settings).echo(own_address(settings).name) is None:
            return True
        time.sleep(0.2)
    return False
