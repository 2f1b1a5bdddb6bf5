"""The questions that `ren-features status` asks of a store."""

from __future__ import annotations

OVERVIEW = {
    "Cohort": """
        SELECT (SELECT count(*) FROM patients) AS patients, (SELECT count(*) FROM scans) AS scans,
               (SELECT count(*) FROM scans WHERE mask IS NULL) AS without_mask,
               min(scan_date) AS first_scan, max(scan_date) AS last_scan
        FROM scans
    """,
    "Labels": """
        SELECT task, count(*) FILTER (value = 1) AS positive, count(*) FILTER (value = 0) AS negative,
               (SELECT count(*) FROM scans) - count(*) AS unknown
        FROM labels GROUP BY task ORDER BY task
    """,
    "Specs": """
        SELECT spec_id, engine, engine_version, settings->>'spacing_mm' AS spacing_mm, settings->>'bin_width' AS bin_width,
               (SELECT count(*) FROM inputs i WHERE i.spec_id = s.spec_id) AS scans,
               (SELECT count(*) FROM radiomics r WHERE r.spec_id = s.spec_id) AS region_rows,
               (SELECT count(*) FROM failures f WHERE f.spec_id = s.spec_id) AS failures,
               spec_id IN (FROM latest_spec) AS latest
        FROM specs s ORDER BY latest DESC, spec_id
    """,
    "Findings": """
        SELECT spec_id, rule, severity, region, count(*) AS scans FROM quality GROUP BY ALL ORDER BY ALL
    """,
    "Failures": """
        SELECT scan_id, spec_id, stage, error_type, message FROM failures ORDER BY ALL
    """,
    "Splits": """
        SELECT split_id, task, protocol, folds, seed, patients, without_label, made_at FROM splits ORDER BY made_at, split_id
    """,
    "Experiments": """
        SELECT experiment, task, split_id, spec_id, count(DISTINCT method) AS methods, count(DISTINCT region) AS regions,
               count(DISTINCT round) AS rounds, max(permutation) AS permutations
        FROM results GROUP BY ALL ORDER BY ALL
    """,
    "Latest runs": """
        SELECT run_id, started_at, finished_at, status, spec_id FROM runs ORDER BY started_at DESC, run_id DESC LIMIT 5
    """,
}
