"""The update of a stack that was made before the template had loops. The first file, as pytest takes them by name: all other
tests call the updated stack."""

from client import until
from conftest import KEPT


def test_nothing_is_replaced(stack, updated):
    after = stack.resources
    assert {id: after.get(id) for id in updated.resources} == updated.resources
    assert {name: stack.outputs.get(name) for name in updated.outputs} == updated.outputs


def test_no_role_keeps_the_rights_that_moved(cloud, stack):
    iam = cloud.client("iam")
    roles = [name for of_type, name in stack.resources.values() if of_type == "AWS::IAM::Role"]
    inline = {name: set(iam.list_role_policies(RoleName=name)["PolicyNames"]) for name in roles}
    actions = inline.pop(stack.id("DeliverRole")) - {"lambda"}
    # Two actions read or write the person that they are about.
    for action in ["BotdistriktSendMessageRole", "BotdistriktRegisterUserRole"]:
        assert inline.pop(stack.id(action)) == {"lambda", "records"}
    assert all(policies == {"lambda"} for policies in inline.values()), inline
    assert len(actions) == len([id for id in stack.resources if id.endswith("DeliverPolicy")]) - 1


def test_the_data_is_as_it_was(updated):
    for name in KEPT:
        known = {item["id"]: item for item in updated.lists[name]}
        assert known, name
        kept = {item["id"]: item for item in updated.list(name) if item["id"] in known}
        assert kept == known, name


def test_a_hook_and_a_route_to_an_action_made_before_still_work(updated):
    again = updated.hook.call(updated.body)
    assert again.body == {"status": "duplicate", "event": updated.event}
    done = len(updated.deliveries("succeeded"))
    updated.hook.event()
    until(lambda: len(updated.deliveries("succeeded")) == done + 1, "the delivery after the update")


def test_a_credential_sealed_before_is_opened(updated):
    assert updated.api.post(f"/v1/connections/{updated.chatbot}/test", None)["ok"] is True
