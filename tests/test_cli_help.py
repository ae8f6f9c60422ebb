"""Help: fast, complete, with an example in every command, and in the README."""

import re
import subprocess
import sys

import click
import pytest

from stacked.cli import COMMANDS, main

from .test_cli_boundary import ROOT, misused, run, run_well, start

HEAVY = ("numpy", "numba", "scipy", "sklearn", "h5py", "matplotlib", "tqdm", "stacked.data", "stacked.files")


def command(name):
    return main.get_command(click.Context(main), name)


def test_help_lists_every_command():
    shown = run_well("--help").stdout
    for name in COMMANDS:
        assert f"  {name} " in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_describes_every_option(name):
    found = command(name)
    assert found.name == name
    assert "Example:" in found.help and f"stacked {name}" in found.help
    for param in found.params:
        if isinstance(param, click.Option):
            assert param.help and not param.help.startswith(" "), f"{name} {param.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_defaults_are_said_once_and_in_words(name):
    text = " ".join(run_well(name, "--help").stdout.split())
    defaults = re.findall(r"\[default: ?(.*?)\]", text)
    assert all(
        re.match(r"[\w-]", default) and not re.search(r"(^|, | first )(\(|$)|\d\.0$", default) for default in defaults
    )
    assert "RANGE" not in text and "x>=" not in text and "<=x" not in text and "] [default" not in text
    if name == "pretrain":
        assert "MODEL " not in "".join(defaults) and "[default: drawn anew]" in text
        assert "[default: 200-200 (vae), none (sequence)]" in text
    if name == "finetune":
        assert "[default: the model's, at first none]" in text and text.count("[default: the model's]") == 3


def test_every_command_is_told_of_in_a_whole_sentence():
    most = main.context_settings["max_content_width"] - len("  reconstruct  ")
    for name in COMMANDS:
        told = command(name).get_short_help_str(most)
        assert told.endswith(".") and not told.endswith("..."), told


@pytest.mark.parametrize("name", ["encode", "decode", "reconstruct", "sample", "predict", "score"])
def test_force_is_about_what_the_command_writes(name):
    text = " ".join(run_well(name, "--help").stdout.split())
    assert "unfinished training" not in text and "Replace an .h5 file that is there, which may hold other data" in text


def test_force_speaks_of_pictures_where_there_are_some():
    for name in ("encode", "decode", "reconstruct", "sample", "predict", "score"):
        options = {
            option: param.help for param in command(name).params for option in param.opts if option.startswith("-")
        }
        assert ("picture" in options["--force"]) == ("--picture" in options), name


def test_decode_has_no_options_of_tables_and_says_how_many_steps_it_writes():
    options = {option for param in command("decode").params for option in param.opts}
    assert not options & {"--label-column", "--drop", "--columns", "--shape", "--sequence-column"}
    text = " ".join(run_well("decode", "--help").stdout.split())
    assert "does not tell its length: then all steps are written, as many as the longest of the training had" in text


def test_columns_without_names_are_told_to_be_numbered_from_1():
    for name in ("pretrain", "encode"):
        options = {option: param.help for param in command(name).params for option in param.opts}
        for flag in ("--label-column", "--sequence-column"):
            assert "without a header its number, from 1" in options[flag]
        assert "without a header 1,2" in options["--drop"]


@pytest.mark.parametrize("name", COMMANDS)
def test_readme_mentions_every_command(name):
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("no README")
    text = readme.read_text()
    assert f"stacked {name}" in text or f"`{name}`" in text


def test_what_is_said_of_hidden_units_is_what_the_flag_offers_and_where_the_rest_is():
    (option,) = (param for param in command("pretrain").params if param.name == "hidden")
    named = re.findall(r"(\w+) \(", option.help)
    assert named == [*option.type.choices, "gaussian"] and "which code linear makes of the top layer" in option.help


def test_readme_names_every_kind_of_unit():
    if not (ROOT / "README.md").exists():
        pytest.skip("no README")
    (line,) = (line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `stacked pretrain"))
    (option,) = (param for param in command("pretrain").params if param.name == "unit")
    assert [word for word in option.type.choices if f"`{word}`" not in line.replace("`--unit ", "`")] == ["auto"]


@pytest.mark.parametrize("args", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(args):
    code = (
        "import sys\nfrom stacked.cli import main\n"
        f"try:\n    main({args!r})\nexcept SystemExit as e:\n    assert e.code == 0\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.splitlines()[-1] == "LOADED []", done.stdout + done.stderr


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_python_m_is_the_command(flag):
    process = start(flag)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0 and stdout.startswith("stacked, version "), stderr


def test_shared_options_are_the_same_in_every_command():
    spelled = {}
    for name in COMMANDS:
        for option in command(name).params:
            if option.opts[0].startswith("-"):
                spelled.setdefault(option.opts[0], set()).add(option.name)
    assert all(len(names) == 1 for names in spelled.values()), spelled


def test_unknown_command_is_a_usage_error():
    assert "No such command 'pretrian'" in misused("pretrian")


def test_no_command_shows_the_help():
    result = run()
    assert result.exit_code in (0, 2) and "pretrain" in result.stdout + result.stderr
