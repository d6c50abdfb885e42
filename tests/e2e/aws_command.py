"""The `aws` command as far as the documents use it: `aws <service> <operation> --name value --query … --output text`.

Its names and parameters come from the same service models as those of the AWS CLI, which can't be installed beside
MiniStack: each wants another version of botocore.
"""

import json
import os
import sys

import boto3
import jmespath
from botocore import xform_name


def main():
    service, operation, *options = sys.argv[1:]
    given = dict(zip(options[::2], options[1::2], strict=True))
    query, output = given.pop("--query", None), given.pop("--output", "json")
    client = boto3.client(service, region_name=os.environ["AWS_REGION"])
    [model] = [
        client.meta.service_model.operation_model(name)
        for name in client.meta.service_model.operation_names
        if xform_name(name, "-") == operation
    ]
    members = {f"--{xform_name(name, '-')}": (name, shape) for name, shape in model.input_shape.members.items()}
    parameters = {}
    for option, text in given.items():
        name, shape = members[option]
        is_text = shape.type_name in ("string", "timestamp", "blob")
        parameters[name] = text if is_text else json.loads(text)
    answer = getattr(client, xform_name(model.name))(**parameters)
    answer.pop("ResponseMetadata")
    found = jmespath.search(query, answer) if query else answer
    if output == "text":
        print("\t".join(found) if isinstance(found, list) else found)
    elif found:
        print(json.dumps(found, default=str, indent=4))


if __name__ == "__main__":
    main()
