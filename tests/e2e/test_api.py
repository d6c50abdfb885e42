"""The API as it is reached from outside."""

import json
from dataclasses import replace

from client import until


def test_health_is_answered_without_a_key(api):
    answer = api.call("GET", "/v1/health")
    assert (answer.status, answer.body["status"]) == (200, "ok")


def test_an_environment_has_the_parameters_that_samconfig_states(cloud, stack):
    group = stack.id("HttpApiLogGroup")
    [found] = cloud.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 7


def test_an_unknown_route_is_answered_404_by_the_gateway(api):
    answer = api.call("GET", "/v1/nothing")
    assert (answer.status, answer.body) == (404, {"message": "Not Found"})


def test_no_key_and_a_wrong_key_are_answered_401(api):
    for key in (None, "sbk_" + "0" * 43):
        answer = replace(api, key=key).call("GET", "/v1/events")
        assert (answer.status, answer.body["code"]) == (401, "unauthorized")


def test_a_botstar_webhook_becomes_an_event_and_records(api, hook):
    assert hook.url.startswith(f"https://{api.domain}/hooks/botstar/checkpoint-record/")
    body = hook.body()
    first, again = hook.call(body), hook.call(body)
    assert (first.status, first.body["status"]) == (200, "accepted")
    assert (again.status, again.body) == (200, {"status": "duplicate", "event": first.body["event"]})

    event = api.get(f"/v1/events/{first.body['event']}")
    assert event["data"]["raw"] == body
    record = until(
        lambda: next((r for r in api.get("/v1/checkpoint-records")["items"] if r["event"] == event["id"]), None),
        "the checkpoint record",
    )
    assert (record["checkpoint"], record["fields"]) == ("Coffee Order", {"Product": "Latte"})
    subscriber = until(
        lambda: next((s for s in api.get("/v1/subscribers")["items"] if s["platform_id"] == body["user"]["id"]), None),
        "the subscriber",
    )
    assert (subscriber["id"], subscriber["name"]) == (record["subscriber"], "Ava Chen")


def lines_of_metrics(cloud, stack):
    """The log of a hook function, and its lines with metrics."""
    group = stack.id("BotstarWatchCheckpointRecordLogGroup")
    log = [event["message"] for event in cloud.client("logs").filter_log_events(logGroupName=group)["events"]]
    return log, [json.loads(line) for line in log if '"_aws"' in line]


def test_what_becomes_of_a_webhook_is_counted_in_a_log_that_holds_no_token(cloud, stack, hook):
    hook.event()
    hook.api.call("POST", hook.path + "0", {})

    def counted():
        log, lines = lines_of_metrics(cloud, stack)
        return {"Accepted", "Rejected"} <= set().union(*lines) and (log, lines)

    log, lines = until(counted, "the metrics")
    assert {line["Stack"] for line in lines} == {stack.name}
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Switchboard" for line in lines)
    token = hook.url.rsplit("/", 1)[1]
    assert not any(token in line for line in log)


def test_what_was_counted_is_read_from_cloudwatch(cloud, stack, api, hook):
    hook.event()
    _, lines = until(lambda: (found := lines_of_metrics(cloud, stack))[1] and found, "a line of metrics")
    # MiniStack takes no metrics out of a log, as CloudWatch does.
    for line in lines:
        [directive] = line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]:
            value = line[metric["Name"]]
            cloud.client("cloudwatch").put_metric_data(
                Namespace=directive["Namespace"],
                MetricData=[
                    {
                        "MetricName": metric["Name"],
                        "Dimensions": [{"Name": name, "Value": line[name]} for name in directive["Dimensions"][0]],
                        "Timestamp": line["_aws"]["Timestamp"] / 1000,
                        "Values": value if isinstance(value, list) else [value],
                        "Unit": metric["Unit"],
                    }
                ],
            )
    reported = api.get("/v1/metrics")
    series = {(one["metric"], one["statistic"]): one["values"] for one in reported["series"]}
    assert all(len(values) == len(reported["times"]) for values in series.values())
    assert sum(series["Accepted", "Sum"]) == sum(line.get("Accepted", 0) for line in lines) > 0
    assert sum(series["Dead", "Sum"]) == 0
    latencies = [value for line in lines for value in line["Latency"]]
    for statistic in ["p50", "p99"]:
        values = [value for value in series["Latency", statistic] if value is not None]
        assert values and all(min(latencies) <= value <= max(latencies) for value in values)


def test_the_console_is_served_to_anyone(api):
    anyone = replace(api, key=None)
    page = anyone.call("GET", "/console")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    script = anyone.call("GET", "/console/console.js")
    assert (script.status, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert anyone.call("GET", "/console/nothing.js").status == 404
