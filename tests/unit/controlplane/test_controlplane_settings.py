"""Settings: the file, the environment over it, and what is refused with which words."""

import pytest

from sentienguard.controlplane import settings


def test_without_anything_the_defaults_hold(tmp_path):
    assert settings.load(tmp_path, {}) == settings.Settings()


def test_the_environment_outranks_the_file(tmp_path):
    (tmp_path / "sentienguard.yaml").write_text("interval_s: 10\napproval_minutes: 5\n")
    found = settings.load(tmp_path, {"SENTIENGUARD_INTERVAL_S": "2.5"})
    assert (found.interval_s, found.approval_minutes) == (2.5, 5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense: 1", "no setting is called 'nonsense'"),
        ("interval_s: often", "expected float, found 'often'"),
        ("interval_s: 0", "expected 0.2 to 3600, found 0"),
        ("people_port: 70000", "expected 0 to 65535"),
        ("sensitivity: extreme", "expected one of low, medium, high, found 'extreme'"),
        ("- a\n- b", "expected a mapping of settings, found list"),
        ("a: [", "expected YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path, text, says):
    (tmp_path / "sentienguard.yaml").write_text(text)
    with pytest.raises(settings.SettingWrong, match=r"sentienguard\.yaml") as raised:
        settings.load(tmp_path, {})
    assert says in str(raised.value)


def test_every_setting_has_a_sentence():
    assert all(sentence.endswith(".") for sentence, _ in settings.sentences().values())
