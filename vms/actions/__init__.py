"""The verbs: each locks, authorises, requires, changes, saves named fields, projects and records; nobody else writes."""
