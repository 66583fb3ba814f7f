"""What others wrote becomes a draft that reads, cannot be signed, and hides nothing it lost."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.playbook import lint, parse
from sentienguard.playbook.importing import drafts, reading, report, sources, writing

IMPORTED = Path(__file__).parent / "imported"
FILES = {
    "ansible": "ansible.yml",
    "rundeck": "rundeck.yaml",
    "stackstorm": "stackstorm.yaml",
    "ssm": "ssm.json",
}
Lost = drafts.Lost


def imported(kind, text=None):
    stored = (IMPORTED / FILES[kind]).read_bytes() if text is None else text.encode()
    return sources.read(stored, origin="x", kind=kind)


def one(kind, text):
    (draft,) = imported(kind, text).drafts
    return draft


def read_back(draft):
    text = writing.yaml_of(draft, "x")
    return parse.load_draft(text.encode(), origin="draft")


def actions(draft):
    return {step.name: dict(step.action) for step in draft.steps}


@pytest.mark.parametrize("kind", FILES)
def test_a_draft_reads_without_a_problem_and_cannot_be_signed(kind):
    for draft in imported(kind).drafts:
        found = read_back(draft)
        assert found.problems == ()
        assert found.playbook.approval_required
        assert not found.playbook.idempotent
        assert not lint.signable(lint.lint(found))
        assert [step.name for step in found.playbook.steps] == [one.name for one in draft.steps]


@pytest.mark.parametrize("kind", FILES)
def test_its_kind_is_recognised(kind):
    stored = (IMPORTED / FILES[kind]).read_bytes()
    assert sources.read(stored, origin="x", kind=None).kind == kind


@pytest.mark.parametrize(
    ("kind", "kinds"),
    [
        ("ansible", {Lost.SHELL, Lost.TEMPLATE, Lost.PRIVILEGE, Lost.LOOP, Lost.CONDITION,
                     Lost.FLOW, Lost.MODULE, Lost.SECRET, Lost.TARGET}),
        ("rundeck", {Lost.SHELL, Lost.TEMPLATE, Lost.PRIVILEGE, Lost.FLOW, Lost.SECRET,
                     Lost.TARGET, Lost.TIMING, Lost.NOTICE, Lost.PARAMETER}),
        ("stackstorm", {Lost.PRIVILEGE, Lost.TARGET, Lost.NOTICE, Lost.PARAMETER}),
        ("ssm", {Lost.SCRIPT, Lost.TEMPLATE, Lost.FLOW, Lost.MODULE, Lost.TARGET,
                 Lost.PARAMETER}),
    ],
)  # fmt: skip
def test_everything_that_was_lost_is_said_with_its_line_and_a_way_out(kind, kinds):
    (draft,) = imported(kind).drafts
    always = {Lost.UNDO, Lost.VERIFICATION, Lost.GUARD}
    assert {loss.kind for loss in draft.losses} - {Lost.OTHER} == kinds | always
    assert all(loss.line >= 1 and loss.what and loss.way_out for loss in draft.losses)


def test_what_is_known_for_certain_becomes_a_typed_action_with_its_undo():
    (draft,) = imported("ansible").drafts
    found = actions(draft)
    assert found["restart_nginx"] == {
        "action": "service", "operation": "restart", "service": "nginx"
    }  # fmt: skip
    assert found["start_the_worker"]["service"] == "worker"
    assert found["less_verbose"]["key"] == "log_level"
    assert draft.checks[-1]["url"] == "http://127.0.0.1:8080/health"
    undone = {step.name for step in draft.steps if step.undo}
    assert undone == {"start_the_worker", "less_verbose", "stop_the_importer"}


def task(text):
    return f"- hosts: all\n  tasks:\n    - name: it\n      {text}\n"


COMMANDS = [  # the task, the action, what is lost of it
    ("command: /usr/bin/app --fix all", {"argv": ["/usr/bin/app", "--fix", "all"]}, set()),
    ("command: {argv: [/usr/bin/app, 'a b']}", {"argv": ["/usr/bin/app", "a b"]}, set()),
    ("command: systemctl restart nginx.service", {"operation": "restart", "service": "nginx"},
     set()),
    ("command: service nginx reload", {"operation": "reload", "service": "nginx"}, set()),
    ("command: sudo /usr/bin/app", {"argv": ["/usr/bin/app"]}, {Lost.PRIVILEGE}),
    ("command: systemctl daemon-reload", {"argv": ["systemctl", "daemon-reload"]}, {Lost.OTHER}),
    ("command: app --fix", {"argv": ["app", "--fix"]}, {Lost.OTHER}),
    ("shell: /usr/bin/app > /tmp/x", {"command": "/usr/bin/app > /tmp/x"}, {Lost.SHELL}),
    ("shell: cd /srv", {"command": "cd /srv ;"}, {Lost.SHELL}),
    ("command: /usr/bin/app {{ what }}", {"command": "/usr/bin/app {{ what }}"},
     {Lost.SHELL, Lost.TEMPLATE}),
    ("command: /usr/bin/app '{{ a }}; rm -rf /'", {"command": "/usr/bin/app '{{ a }}; rm -rf /'"},
     {Lost.SHELL, Lost.TEMPLATE}),
    ("command: {cmd: /usr/bin/app, creates: /x}", {"argv": ["/usr/bin/app"]}, {Lost.CONDITION}),
    ("service: {name: '{{ n }}', state: started}", {"command": None}, {Lost.MODULE}),
    ("service: {name: nginx, state: '{{ s }}'}", {"command": None}, {Lost.MODULE}),
    ("file: {path: /srv/cache, state: absent}", {"command": None}, {Lost.MODULE}),
    ("script: fix.sh", {"command": None}, {Lost.MODULE}),
    ("include_tasks: more.yml", {"command": None}, {Lost.MODULE}),
    ("lineinfile: {path: /etc/x, line: 'no assignment'}", {"command": None}, {Lost.MODULE}),
    ("lineinfile: {path: ../etc/x, line: 'a = b'}", {"command": None}, {Lost.MODULE}),
    ("lineinfile: {path: /etc/x, line: 'a = {{ b }}'}", {"command": None}, {Lost.MODULE}),
    ("uri: {url: 'http://example.org/', method: POST}", {"command": None}, {Lost.MODULE}),
    ("uri: {url: 'http://localhost/do', method: POST}",
     {"action": "http", "expected_status": 200}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "action", "lost"), COMMANDS)
def test_a_task_becomes_what_it_surely_is(text, action, lost):
    draft = one("ansible", task(text))
    (step,) = draft.steps
    for key, value in action.items():
        assert key in step.action
        assert value is None or step.action[key] == value
    always = {Lost.UNDO, Lost.VERIFICATION, Lost.GUARD}
    found = {loss.kind for loss in draft.losses} - always
    assert found - ({Lost.SHELL} if text.startswith("shell:") else set()) == lost - (
        {Lost.SHELL} if text.startswith("shell:") else set()
    )
    assert read_back(draft).problems == ()


@pytest.mark.parametrize("word", ["when: x", "loop: [1]", "with_items: [1]", "until: x",
                                  "register: x", "notify: x", "become: yes", "delegate_to: x",
                                  "ignore_errors: yes", "async: 5", "vars: {a: b}",
                                  "something_new: 1"])  # fmt: skip
def test_no_keyword_of_a_task_is_dropped_in_silence(word):
    draft = one("ansible", task(f"command: /usr/bin/app\n      {word}"))
    key = word.partition(":")[0]
    assert any(loss.what.startswith(key) for loss in draft.losses)


def test_become_that_is_off_is_nothing_to_lose():
    draft = one("ansible", task("command: /usr/bin/app\n      become: no"))
    assert Lost.PRIVILEGE not in {loss.kind for loss in draft.losses}


def test_a_parameter_stands_only_for_a_whole_argument():
    text = (IMPORTED / FILES["ssm"]).read_text()
    (step,) = [one for one in imported("ssm").drafts[0].steps if one.name == "clean"]
    assert step.action["argv"] == ["/usr/bin/shopctl", "clean", {"param": "mode"}]
    joined = imported("ssm", text.replace("clean {{ Mode }}", "clean --mode={{ Mode }}"))
    (step,) = [one for one in joined.drafts[0].steps if one.name == "clean"]
    assert "command" in step.action
    open_ended = imported("ssm", text.replace("clean {{ Mode }}", "clean {{ Path }}"))
    (step,) = [one for one in open_ended.drafts[0].steps if one.name == "clean"]
    assert "command" in step.action


def test_a_sign_that_stands_for_a_parameter_cannot_be_brought_along():
    draft = one("ansible", task('command: "/usr/bin/app \N{WHITE SQUARE}"'))
    assert draft.steps[0].action["argv"] == ["/usr/bin/app", "_"]


def test_more_steps_than_a_playbook_may_have_are_said():
    tasks = "".join(f"    - command: /bin/app {n}\n" for n in range(40))
    draft = one("ansible", f"- hosts: all\n  tasks:\n{tasks}")
    assert len(draft.steps) == drafts.MAX_STEPS
    assert sum("at most 32 steps" in loss.what for loss in draft.losses) == 8
    assert read_back(draft).problems == ()


def test_two_plays_become_two_drafts_under_two_names():
    text = "- {hosts: all, name: A, tasks: [{command: /bin/a}]}\n" * 2
    names = [draft.name for draft in imported("ansible", text).drafts]
    assert names == ["a_draft", "a_draft_2"]


BROKEN = [
    ("ansible", "a: &x [1]\nb: *x", "each value written out"),
    ("ansible", "- {a: 1, a: 2}", "each name once"),
    ("ansible", "- <<: {a: 1}", "a name"),
    ("ansible", "[" * 60 + "]" * 60, "at most 40 levels"),
    ("ansible", "[" + "1," * 30_000 + "1]", "at most 20000 values"),
    ("ansible", "x" * (reading.MAX_BYTES + 1), "at most 524288 bytes"),
    ("ansible", "- \x1b[2J", "visible text"),
    ("ansible", "- a\N{RIGHT-TO-LEFT OVERRIDE}b", "visible text"),
    ("ansible", "", "a document"),
    ("ansible", "- hosts: all", "something to do for ansible"),
    ("ansible", "a: [", "YAML or JSON"),
    ("rundeck", "just text", "something to do for rundeck"),
    ("ssm", '{"schemaVersion": "0.3", "mainSteps": []}', "2.0 or 2.2"),
    ("ssm", '{"mainSteps": []}', "2.0 or 2.2"),
    (None, "a: b", "say which with --from"),
    (None, "runner_type: x\nschemaVersion: '2.2'", "stackstorm or ssm"),
]


@pytest.mark.parametrize(("kind", "text", "message"), BROKEN)
def test_what_cannot_be_read_is_refused_with_its_line(kind, text, message):
    with pytest.raises(parse.BrokenPlaybook) as refused:
        sources.read(text.encode(), origin="x.yml", kind=kind)
    assert message in str(refused.value)
    assert "x.yml: line " in str(refused.value)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(parse.BrokenPlaybook, match="UTF-8"):
        sources.read(b"- \xff", origin="x", kind="ansible")


def test_no_tag_is_obeyed():
    text = task("command: !!python/object/apply:os.system ['touch /tmp/never']")
    draft = one("ansible", text)
    assert "touch" not in writing.yaml_of(draft, "x")
    assert draft.steps[0].action["command"] == "# a value that is not read"
    assert Lost.SECRET in {loss.kind for loss in draft.losses}


def test_the_report_says_the_same_as_json_and_as_markdown_and_nothing_in_it_is_markup():
    text = task("command: /usr/bin/app\n      tags: x").replace(
        "name: it", "name: 'it | <b>x</b> `y` [z](http://evil.example)'"
    )
    made = imported("ansible", text)
    texts = {draft.name: writing.yaml_of(draft, "x") for draft in made.drafts}
    found = report.document(made, texts, "x|y`.yml")
    assert json.loads(json.dumps(found)) == found
    page = report.markdown(found)
    for loss in found["drafts"][0]["lost"]:
        assert report.code(loss["what"]) in page
    outside = "".join(part for at, part in enumerate(page.split("`")) if at % 2 == 0)
    assert "<b>" not in outside
    assert "evil" not in outside


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30)
    | st.sampled_from(["/bin/app {{ a }}", "systemctl stop x", "a | b", "x=1 y=2", "2.2", "yes"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["hosts", "tasks", "name", "command", "shell", "service", "state", "argv", "block",
             "when", "loop", "sequence", "commands", "exec", "script", "options", "values",
             "runner_type", "parameters", "cmd", "default", "enum", "schemaVersion", "mainSteps",
             "action", "inputs", "runCommand", "precondition", "uri", "url", "lineinfile", "path",
             "line", "enforced", "type", "minimum", "maximum", "ansible.builtin.command"]
        ),
        inner, max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@given(st.sampled_from(sorted(FILES)), VALUES)
def test_whatever_comes_it_is_refused_or_becomes_a_draft_that_reads(kind, value):
    try:
        made = sources.read(json.dumps(value).encode(), origin="x", kind=kind)
    except parse.BrokenPlaybook:
        return
    for draft in made.drafts:
        text = writing.yaml_of(draft, "x")
        if draft.steps:
            found = parse.load_draft(text.encode(), origin="draft")
            assert found.problems == ()
            assert not lint.signable(lint.lint(found))


def test_every_kind_of_loss_has_a_way_out_and_a_row_in_the_reference():
    page = (Path(__file__).parents[3] / "docs/reference/playbook-import.md").read_text()
    assert set(drafts.WAYS_OUT) == set(Lost)
    assert [kind for kind in (*Lost, *sources.SOURCES) if f"`{kind}`" not in page] == []
