"""A second rater, slow and plain, that shares nothing with the tariff service but the rules.

The published rules it follows:

- the register at an instant between two readings lies on the straight line between them, rounded
  down to a Wh; energy of a stretch is the difference of the registers at its ends;
- a local day runs from its first midnight to that of the next day and gives the stretch its
  weekday and month; the minute of the local clock gives its price period;
- a scope is a local month under one plan version; blocks fill in the order of use, per period or
  over all periods, and begin anew with every scope;
- a day of which any time was supplied costs the daily charge of the version then in force;
- each line of a scope, that is each period and block, the daily charges and each tax, is rounded
  down once to a micro-unit; a tax is a share of the unrounded cost below it.
"""
