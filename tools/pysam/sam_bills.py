"""Run by the Python of PySAM's own environment: bills of SAM's utilityrate5, JSON in, JSON out.

In: {"load_kw": 8,760 averages of an hour (or of its parts), "energy": rows, "weekday": 12 x 24,
"weekend": …, "fixed": a month, "minimum": a month, "demand": {"rows": …, "weekday": …,
"weekend": …, "flat": rows}, "metering": SAM's option, 0 where not given}, periods and tiers
counted from 1. Out: what twelve months cost, and the processor's seconds that it took.
"""

import json
import sys
import time
from typing import Any

import PySAM.Utilityrate5 as Utilityrate5

NO_SYSTEM = 0.0
OPEN = 1e38


def bills(case: dict[str, Any]) -> dict[str, Any]:
    model = Utilityrate5.new()
    load = case["load_kw"]
    model.SystemOutput.assign({"gen": [NO_SYSTEM] * len(load), "degradation": [0.0]})
    model.Lifetime.assign(
        {"analysis_period": 1, "inflation_rate": 0.0, "system_use_lifetime_output": 0}
    )
    model.Load.assign({"load": load, "load_escalation": [0.0]})
    model.ElectricityRates.assign(rates(case))
    begun = time.process_time()
    model.execute()
    took_s = time.process_time() - begun
    return {"months": list(model.Outputs.utility_bill_wo_sys_ym[1]), "seconds": took_s}


def rates(case: dict[str, Any]) -> dict[str, Any]:
    demand = case.get("demand") or {}
    rows = demand.get("rows") or [[1, 1, OPEN, 0.0]]
    flat = demand.get("flat") or [[month, 1, OPEN, 0.0] for month in range(12)]
    always = [[1] * 24] * 12
    return {
        "en_electricity_rates": 1,
        "rate_escalation": [0.0],
        "ur_metering_option": case.get("metering", 0),
        "ur_sell_eq_buy": 1,
        "ur_nm_credit_month": 11,
        "ur_nm_yearend_sell_rate": 0.0,
        "ur_nm_credit_rollover": 0,
        "ur_monthly_fixed_charge": case.get("fixed", 0.0),
        "ur_monthly_min_charge": case.get("minimum", 0.0),
        "ur_annual_min_charge": 0.0,
        "ur_en_ts_buy_rate": 0,
        "ur_en_ts_sell_rate": 0,
        "ur_ts_buy_rate": [0.0],
        "ur_ts_sell_rate": [0.0],
        "ur_ec_tou_mat": case["energy"],
        "ur_ec_sched_weekday": case.get("weekday") or always,
        "ur_ec_sched_weekend": case.get("weekend") or always,
        "ur_dc_enable": 1 if demand else 0,
        "ur_dc_tou_mat": rows,
        "ur_dc_flat_mat": flat,
        "ur_dc_sched_weekday": demand.get("weekday") or always,
        "ur_dc_sched_weekend": demand.get("weekend") or always,
        "TOU_demand_single_peak": 0,
    }


json.dump([bills(case) for case in json.load(sys.stdin)], sys.stdout)
