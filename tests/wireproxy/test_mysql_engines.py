"""Which query a table of MERGE, FEDERATED, CONNECT or SPIDER stands for, by its definition."""

from __future__ import annotations

import pytest

from wireproxy.mysql.engines import stands_for

OWN = ("shop", "far")
COLUMNS = {
    OWN: ["id", "ssn"],
    ("shop", "customers"): ["id", "name", "SSN"],
    ("hr", "customers"): ["id", "pay"],
    ("hr", "odd`one"): ["id"],
}
HEAD = "CREATE TABLE `far` (\n  `id` int COMMENT 'UNION=(`fake`) of customers',\n  `ssn` varchar(30)\n) ENGINE="


def test_merge_shows_the_tables_that_it_unites() -> None:
    created = f"{HEAD}MRG_MyISAM DEFAULT CHARSET=utf8mb4 COMMENT=' UNION=(`no`)' INSERT_METHOD=LAST UNION=(`a`,`hr`.`odd``one`)"
    assert (
        stands_for("MRG_MyISAM", created, OWN, COLUMNS) == "SELECT * FROM `a` UNION ALL SELECT * FROM `hr`.`odd``one`"
    )
    assert stands_for("MRG_MYISAM", f"{HEAD}MRG_MYISAM DEFAULT CHARSET=utf8mb4", OWN, COLUMNS) is None


BOTH = "SELECT `id`, `ssn` FROM `shop`.`customers` UNION ALL SELECT * FROM `hr`.`customers`"


@pytest.mark.parametrize(
    ("engine", "options", "query"),
    [
        ("FEDERATED", "DEFAULT CHARSET=utf8mb4 CONNECTION='mysql://app:x@10.0.0.1:3306/shop/customers'", BOTH),
        ("FEDERATED", "CONNECTION='here/Customers'", BOTH),
        ("FEDERATED", "CONNECTION='here/elsewhere'", None),
        ("CONNECT", "`TABLE_TYPE`=MYSQL `DBNAME`='hr' `TABNAME`='odd`one'", "SELECT * FROM `hr`.`odd``one`"),
        ("CONNECT", "`TABLE_TYPE`=CSV `FILE_NAME`='x.csv'", None),
        ("SPIDER", 'COMMENT=\'wrapper "mysql", srv "s", table "customers"\'\n PARTITION BY HASH (`id`)', BOTH),
    ],
)
def test_a_table_that_is_elsewhere_stands_for_every_table_that_its_options_could_name(
    engine: str, options: str, query: str | None
) -> None:
    assert stands_for(engine, f"{HEAD}{engine} {options}", OWN, COLUMNS) == query
