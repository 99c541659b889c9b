"""Contacts as a province might have them: a tree of units, people with Chinese names, several numbers each."""

import random
from collections.abc import Iterator

from gateway.directory.contact import Contact, ContactNumber

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文单仇区解查盖朴"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国志文玉兰梅红辉鹏飞宇浩然子涵梓轩欣怡佳雪婷晓雨晨阳博思源俊凯泽瑞宁"
    "海波永春荣福贵生林森树德才良善义信忠诚廉洁安康乐庆祥龙凤云山川河江湖东南西北中正光亮新旭昊天成栋梁君豪立业嘉琪梦瑶诗语"
)
PLACES = "东城西湖江北河南海新安吉永泰长宁和平龙华金山青云白石文昌福清明光高阳林水大同兴盛"
ROOTS = (
    "应急管理局",
    "公安局",
    "消防救援支队",
    "卫生健康委员会",
    "水务局",
    "交通运输局",
    "气象局",
    "自然资源和规划局",
    "住房和城乡建设局",
    "林业局",
    "教育局",
    "民政局",
    "生态环境局",
    "农业农村局",
    "电力公司",
    "燃气公司",
    "自来水公司",
    "人民政府",
    "急救中心",
    "海事局",
    "地震局",
    "广播电视台",
    "铁路局",
    "人民武装部",
)
PARTS = (
    "办公室",
    "指挥中心",
    "值班室",
    "综合科",
    "防汛抗旱科",
    "救援协调科",
    "信息科",
    "安全监督科",
    "后勤保障科",
    "宣传科",
    "大队",
    "中队",
)
POSTS = ("局长", "副局长", "主任", "副主任", "科长", "副科长", "科员", "值班员", "队长", "指导员", "司机", "书记", "")


def people(count: int, seed: int = 1) -> Iterator[Contact]:
    """Yield *count* contacts, the same ones for the same *seed*."""
    rng = random.Random(seed)
    made = 0
    while made < count:
        place = "".join(rng.sample(PLACES, 2)) + rng.choice("市县区")
        root = place + rng.choice(ROOTS)
        for part in ["", *rng.sample(PARTS, 4)]:
            unit = root + part
            for number in range(rng.randint(8, 20)):
                if made >= count:
                    return
                duty = number == 0
                name = "" if duty else rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=rng.choice((1, 2, 2, 2))))
                mobile = f"1{rng.choice('3589')}{rng.randrange(10**9):09d}"
                office = f"{rng.choice('268')}{rng.randrange(10**7):07d}"
                yield Contact(
                    id=f"{made:026d}",
                    unit=unit,
                    parent_unit=root if part else "",
                    name=name or "值班",
                    post="" if duty else f"{rng.choice(POSTS)}",
                    numbers=(
                        ContactNumber(written=mobile, canonical=f"+86{mobile}", number=mobile, kind="mobile"),
                        ContactNumber(written=office, canonical=f"+8610{office}", number=f"010{office}", kind="office"),
                    ),
                )
                made += 1
