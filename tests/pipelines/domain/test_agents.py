"""Inhibitors are known by what treatment records call them, and nothing else is taken for one."""

import pytest

from pipelines.domain.agents import AGENTS, ATC, RXNORM, agent_coded, agent_named, inhibitors


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Nivolumab", "nivolumab"),
        ("nivolumab-hyaluronidase", "nivolumab"),
        ("KEYTRUDA 100 mg/4 mL", "pembrolizumab"),
        ("信迪利单抗注射液（达伯舒）", "sintilimab"),
        ("注射用卡瑞利珠单抗", "camrelizumab"),
        ("替雷利珠单抗", "tislelizumab"),
        ("特瑞普利单抗", "toripalimab"),
        ("派安普利单抗", "penpulimab"),
        ("舒格利单抗", "sugemalimab"),
        ("贝莫苏拜单抗", "benmelstobart"),
        ("阿替利珠单抗", "atezolizumab"),
        ("度伐利尤单抗", "durvalumab"),
        ("ＡＫ１０５", "penpulimab"),
    ],
)
def test_an_inhibitor_is_known_by_its_names(text: str, name: str) -> None:
    agent = agent_named(text)
    assert agent is not None
    assert agent.name == name


@pytest.mark.parametrize("text", ["", "bevacizumab", "贝伐珠单抗", "ipilimumab", "cisplatin", "xnivolumab", "ak1050"])
def test_other_medicines_are_no_inhibitors(text: str) -> None:
    assert agent_named(text) is None


def test_codes_name_inhibitors_and_a_new_code_of_the_class_counts() -> None:
    for system, code, name in ((ATC, "L01FF02", "pembrolizumab"), (RXNORM, "1597876", "nivolumab")):
        agent = agent_coded(system, code)
        assert agent is not None
        assert agent.name == name
    unknown = agent_coded(ATC, "L01FF99")
    assert unknown is not None
    assert unknown.name == "PD-1/PD-L1 inhibitor"
    assert agent_coded(ATC, "L01FX04") is None
    assert agent_coded("urn:other", "L01FF02") is None


def test_no_name_or_code_stands_for_two_inhibitors() -> None:
    names = [name for agent in AGENTS for name in (agent.name, *agent.synonyms)]
    codes = [code for agent in AGENTS for code in (agent.atc, agent.rxnorm) if code]
    assert len(set(names)) == len(names)
    assert len(set(codes)) == len(codes)
    assert all(agent_named(name) is not None for name in names)
    assert [agent.name for agent in inhibitors(["cisplatin", "opdivo", "欧狄沃"])] == ["nivolumab", "nivolumab"]
