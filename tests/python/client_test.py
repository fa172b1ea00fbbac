"""A client in another language, generated from the protos, against a running server.

Usage: client_test.py HOST:PORT, with the generated modules on PYTHONPATH.
"""

import sys
import time

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from icpgate.v1 import (
    decision_pb2,
    provisioning_service_pb2 as provisioning,
    provisioning_service_pb2_grpc as provisioning_grpc,
    record_service_pb2 as records_api,
    record_service_pb2_grpc as records_grpc,
    records_pb2,
)

CREDIT_CODE = "91110105MA8800017U"
DEADLINE_S = 30


def record(**fields):
    return json_format.ParseDict({**fields, "source": "python"}, records_pb2.Record())


def filed(domain, subject):
    certificate = {
        "kind": "CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE",
        "number": CREDIT_CODE,
    }
    name = "北京示例科技有限公司"
    return [
        record(
            subject={
                "subject_number": subject,
                "name": name,
                "nature": "SUBJECT_NATURE_ENTERPRISE",
                "certificate": certificate,
            }
        ),
        record(
            service={
                "service_number": f"{subject}-1",
                "kind": "SERVICE_KIND_WEBSITE",
                "domains": [domain],
            }
        ),
        record(access={"service_number": f"{subject}-1", "provider_id": "self"}),
        record(
            registration={
                "domain": domain,
                "registrar_approved": True,
                "registrant": {"name": name, "certificate": certificate},
                "real_name": "REAL_NAME_VERIFIED",
                "in_authority_library": True,
                "statuses": ["ok"],
            }
        ),
    ]


def ask(domain, **fields):
    return provisioning.CheckProvisioningRequest(
        domain=domain,
        product=provisioning.PRODUCT_CDN,
        service_area=provisioning.SERVICE_AREA_MAINLAND,
        **fields,
    )


def bad_fields(status):
    """Fields that google.rpc.BadRequest names."""
    for detail in status.details:
        bad = error_details_pb2.BadRequest()
        if detail.Is(bad.DESCRIPTOR):
            detail.Unpack(bad)
            return [violation.field for violation in bad.field_violations]
    raise AssertionError(f"no BadRequest in {status}")


def refused(call, *args):
    """The status, from the trailers, of a call that fails."""
    try:
        call(*args, timeout=DEADLINE_S)
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        assert status is not None, "the status stands in the trailers"
        assert status.code == error.code().value[0], status
        return error, status
    raise AssertionError("the call was to fail")


def puts(records):
    response = records.PutRecords(
        records_api.PutRecordsRequest(records=filed("python-example.cn", "京ICP备2024999001号")),
        timeout=DEADLINE_S,
    )
    assert response.revision, response
    wrong = filed("python-example.cn", "京ICP备2024999001号")
    wrong[2].Clear()
    wrong[0].subject.certificate.number = CREDIT_CODE[:-1] + "0"
    error, status = refused(records.PutRecords, records_api.PutRecordsRequest(records=wrong))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, status
    assert bad_fields(status)[0] == "records[0].subject.certificate.number", status
    assert CREDIT_CODE[:-1] not in str(status) + error.details(), status
    return response.revision


def checks(gate, revision):
    question = ask("WWW.Python-Example.CN.", at_least_as_fresh=revision)
    decision = gate.CheckProvisioning(question, timeout=DEADLINE_S).decision
    assert decision.verdict == decision_pb2.VERDICT_ALLOW, decision
    assert list(decision.reasons) == [], decision
    assert decision.domain.input == "WWW.Python-Example.CN.", decision
    assert decision.domain.ascii == "www.python-example.cn", decision
    assert decision.filing.subject_number == "京ICP备2024999001号", decision
    now = time.time()
    assert decision.decided_at.ToSeconds() <= now + 1, decision
    assert now < decision.valid_until.ToSeconds() <= now + 24 * 3600 + 1, decision
    assert not decision.HasField("retry_after"), decision
    unfiled = gate.CheckProvisioning(ask("python-unfiled.cn"), timeout=DEADLINE_S).decision
    assert unfiled.verdict == decision_pb2.VERDICT_DENY, unfiled
    assert list(unfiled.reasons) == [decision_pb2.REASON_FILING_NOT_FOUND], unfiled
    assert unfiled.findings[0].remediation, unfiled
    error, status = refused(gate.CheckProvisioning, provisioning.CheckProvisioningRequest())
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, status
    assert bad_fields(status) == ["domain", "product", "service_area"], status
    error, status = refused(gate.CheckProvisioning, ask("a.cn", language="not a tag!"))
    assert bad_fields(status) == ["language"], status
    return decision.decision_id


def reads_back(gate, decision_id):
    for _ in range(100):
        try:
            request = provisioning.GetDecisionRequest(decision_id=decision_id)
            decision = gate.GetDecision(request, timeout=DEADLINE_S).decision
            assert decision.decision_id == decision_id, decision
            assert len(decision.findings) > 10, "a recorded decision is whole"
            break
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            time.sleep(0.05)
    else:
        raise AssertionError("the decision was not recorded")
    request = provisioning.GetDecisionRequest(decision_id="nobody")
    error, status = refused(gate.GetDecision, request)
    assert error.code() == grpc.StatusCode.NOT_FOUND, status
    kinds = [detail.type_url.rsplit(".", 1)[-1] for detail in status.details]
    assert "ResourceInfo" in kinds, kinds


def batches(gate):
    requests = [ask("python-example.cn"), ask(""), ask("python-unfiled.cn")]
    response = gate.BatchCheckProvisioning(
        provisioning.BatchCheckProvisioningRequest(requests=requests), timeout=DEADLINE_S
    )
    kinds = [result.WhichOneof("result") for result in response.results]
    assert kinds == ["decision", "error", "decision"], response
    failure = response.results[1].error
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT.value[0], failure
    assert bad_fields(failure) == ["domain"], failure
    empty = provisioning.BatchCheckProvisioningRequest()
    error, status = refused(gate.BatchCheckProvisioning, empty)
    assert bad_fields(status) == ["requests"], status


def screens(gate):
    def inventory():
        for sequence in (3, 1, 2):
            names = [f"s{sequence}-{at}.python-example.cn" for at in range(5)]
            yield provisioning.ScreenDomainsRequest(
                sequence=sequence, requests=[ask(name) for name in names]
            )

    responses = list(gate.ScreenDomains(inventory(), timeout=DEADLINE_S))
    assert [response.sequence for response in responses] == [3, 1, 2], responses
    for response in responses:
        names = [result.decision.domain.input for result in response.results]
        expected = [f"s{response.sequence}-{at}.python-example.cn" for at in range(5)]
        assert names == expected, names
        for result in response.results:
            assert result.decision.verdict == decision_pb2.VERDICT_ALLOW, result


def imports(records):
    def lines():
        good = filed("python-import.cn", "京ICP备2024999002号")
        for number, line in enumerate(good, start=1):
            yield records_api.ImportRecordsRequest(record=line, line=number)
        suffix = record(block={"list": "BLOCK_LIST_PROVIDER", "domain": "com.cn"})
        yield records_api.ImportRecordsRequest(record=suffix, line=77)

    first = records.ImportRecords(lines(), timeout=DEADLINE_S)
    assert (first.accepted, first.unchanged, first.rejected_count) == (4, 0, 1), first
    assert first.rejected[0].line == 77, first
    assert first.rejected[0].violations[0].field == "block.domain", first
    again = records.ImportRecords(lines(), timeout=DEADLINE_S)
    assert (again.accepted, again.unchanged, again.rejected_count) == (0, 4, 1), again
    assert again.revision == first.revision, again
    known = records.GetDomain(
        records_api.GetDomainRequest(domain="python-import.cn"), timeout=DEADLINE_S
    )
    assert len(known.records) == 4, known
    assert CREDIT_CODE not in str(known), "certificate numbers are masked"
    page = records.ListChanges(records_api.ListChangesRequest(page_size=3), timeout=DEADLINE_S)
    assert len(page.changes) == 3 and page.next_page_token, page


def main(address):
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=DEADLINE_S)
        gate = provisioning_grpc.ProvisioningServiceStub(channel)
        records = records_grpc.RecordServiceStub(channel)
        decision_id = checks(gate, puts(records))
        reads_back(gate, decision_id)
        batches(gate)
        screens(gate)
        imports(records)
    print("the generated client works")


if __name__ == "__main__":
    main(sys.argv[1])
