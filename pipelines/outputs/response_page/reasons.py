"""The reasons of an assessment in Chinese: the sentences that `pipelines.response` gives, one by one."""

import re
from collections.abc import Mapping
from typing import Final

_DAY: Final = r"(?P<day>-?\d+(?: to -?\d+)?)"
_PHRASES: Final = tuple(
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        # best overall response
        (r"complete response", "完全缓解"),
        (r"partial response", "部分缓解"),
        (r"stable disease, (?P<days>\d+) days or more after the start", "疾病稳定，距开始治疗至少 {days} 天"),
        (
            r"(?P<response>CR|PR) that was not confirmed, (?P<days>\d+) days or more after the start",
            "未经确认的 {response}，距开始治疗至少 {days} 天",
        ),
        (r"(?P<days>\d+) days or more after the start", "距开始治疗至少 {days} 天"),
        (
            r"the start of treatment is not known, so no stable disease can count",
            "开始治疗的日期不明，不能计为疾病稳定",
        ),
        (r"progression before any other response", "进展之前没有其他反应"),
        (r"died before the first evaluable assessment", "首次可评估检查之前死亡"),
        (r"no assessment after the baseline", "基线之后没有评估"),
        (r"assessed before day (?P<days>\d+) only", "仅在第 {days} 天之前有评估"),
        (r"no evaluable assessment", "没有可评估的检查"),
        # pattern of progression
        (r"no progression", "无进展"),
        (r"disease that cannot be counted in lesions progresses", "无法按病灶计数的病变进展"),
        (r"no lesion can be named that progresses", "无法指明进展的病灶"),
        (r"(?P<count>\d+) progressing lesions? in (?P<organs>[a-z, ]+)", "{count} 个病灶进展（{organs}）"),
        (r"(?P<said>.+): more than (?P<most>\d+)", "{said}：多于 {most} 个"),
        (r"(?P<said>.+): more than (?P<most>\d+) organs", "{said}：多于 {most} 个器官"),
        (r"(?P<said>.+), and (?P<more>\d+) more that grow", "{said}，另有 {more} 个增大"),
        (
            r"(?P<said>.+); whether the others are controlled is open: (?P<open>\d+) not assessed",
            "{said}；其余病灶是否受控不明：{open} 个未评估",
        ),
        (r"(?P<said>.+), the others controlled: at most (?P<most>\d+)", "{said}，其余受控：不多于 {most} 个"),
        # resistance
        (r"died without a scan that shows progression", "死亡，且没有显示进展的检查"),
        (r"the first dose is not known", "首次用药日期不明"),
        (
            r"the definition asks for a scan that confirms progression: no later scan",
            "定义要求以后续检查确认进展：没有后续检查",
        ),
        (
            r"the definition asks for a scan that confirms progression: the later scan does not",
            "定义要求以后续检查确认进展：后续检查未确认",
        ),
        (rf"progression on day {_DAY} after (?P<response>[A-Z]+)", "{response} 之后于第 {day} 天进展"),
        (rf"progression on day {_DAY}, on the boundary of both definitions", "第 {day} 天进展，处于两种定义的界线上"),
        (
            rf"progression on day {_DAY}: the dates leave open whether it was early",
            "第 {day} 天进展：日期不完整，无法判定是否为早期",
        ),
        (r"whether and why treatment had ended is not known", "是否停药及停药原因不明"),
        (r"treatment had ended \((?P<stop>.+)\); no definition applies", "已停药（{stop}）；没有适用的定义"),
        (
            rf"progression {_DAY} days after the last dose: its date is not complete",
            "末次用药后 {day} 天进展：日期不完整",
        ),
        (rf"progression {_DAY} days after the last dose", "末次用药后 {day} 天进展"),
        (rf"progression on day {_DAY}, before day (?P<limit>\d+)", "第 {day} 天进展，早于第 {limit} 天"),
        (rf"progression on day {_DAY}, not before day (?P<limit>\d+)", "第 {day} 天进展，不早于第 {limit} 天"),
        (r"(?P<said>.+); how long treatment was given is not known", "{said}；用药时间不明"),
        (r"(?P<said>.+), after less than (?P<days>\d+) days of treatment", "{said}，用药不足 {days} 天"),
        (
            r"(?P<said>.+), and no evaluable scan before it shows stable disease or better",
            "{said}，此前没有可评估检查显示疾病稳定或更好",
        ),
        # the next scan
        (
            r"the first dose is not known, so the time of progression is not either",
            "首次用药日期不明，因此进展时间不明",
        ),
        (r"the dates leave open how early the progression was", "日期不完整，无法判定进展的早晚"),
        (
            r"no row of the table applies: the protocol of the site decides",
            "表中没有适用的行：按本院方案",
        ),
        (r"(?P<first>\d+) to (?P<last>\d+) weeks after the latest scan", "最近一次检查后 {first} 至 {last} 周"),
        (r"(?P<said>.+), whose date is not complete", "{said}，但检查日期不完整"),
    )
)
_STOPS: Final = {
    "progression": "进展",
    "toxicity": "毒性",
    "completed": "疗程完成",
    "other": "其他原因",
}


def in_chinese(reason: str, terms: Mapping[str, str]) -> str | None:
    """A reason in Chinese; None for a sentence that is not known here.

    Parameters
    ----------
    terms
        Chinese names of the organs.

    Examples
    --------
    >>> in_chinese("1 progressing lesion in lung, the others controlled: at most 5", {"lung": "肺"})
    '1 个病灶进展（肺），其余受控：不多于 5 个'
    """
    for pattern, chinese in _PHRASES:
        found = pattern.fullmatch(reason)
        if found is None:
            continue
        parts = {name: _part(name, value, terms) for name, value in found.groupdict().items()}
        if None not in parts.values():
            return chinese.format(**parts)
    return None


def _part(name: str, value: str, terms: Mapping[str, str]) -> str | None:
    if name == "said":
        return in_chinese(value, terms)
    if name == "organs":
        return "、".join(terms.get(organ, organ) for organ in value.split(", "))
    if name == "stop":
        return _STOPS.get(value, value)
    return value.replace(" to ", " 至 ")
