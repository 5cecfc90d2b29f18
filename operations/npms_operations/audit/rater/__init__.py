"""A second rater, slow and plain, that shares nothing with the tariff service but the rules.

The published rules it follows:

- the register at an instant between two readings lies on the straight line between them, rounded
  down to a base unit; energy of a stretch is the difference of the registers at its ends;
- a local day runs from its first midnight to that of the next day and gives the stretch its
  weekday (or makes it a holiday), season and month; the minute of the local clock gives its period;
- a scope is a local month under one plan version; the first free units of a month cost nothing;
  blocks fill in the order of use, by the energy of all periods or of each. With bounds of fixed
  size the month's use under earlier versions counts on, by periods of the same name (what has none
  counts in the first); otherwise, and with blocks of a day, the position begins anew;
- a day of which any time was supplied counts in the scope of the version then in force; where days
  without use cost nothing, when something is used on it first;
- measured demand is the most energy in one aligned window; what a scope before it in the month
  charged of a demand of the same name is not charged again;
- costs are exact, of a share rounded down to a thousandth of a micro-unit; each line of a scope,
  that is each period and block, and each other component, is rounded once to a micro-unit, down in
  size (towards zero).
"""
