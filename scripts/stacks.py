"""The stacks of samconfig.toml's environments, and their template."""

import pathlib

import tomlkit
from botocore.exceptions import ClientError
from samcli.lib.cfn_language_extensions import (
    IntrinsicResolver,
    ProcessingPipeline,
    TemplateParsingProcessor,
    TemplateProcessingContext,
)
from samcli.lib.cfn_language_extensions.api import IntrinsicResolverProcessor
from samcli.lib.cfn_language_extensions.processors.foreach import ForEachProcessor
from samcli.lib.cfn_language_extensions.resolvers.fn_find_in_map import FnFindInMapResolver
from samcli.lib.cfn_language_extensions.resolvers.fn_join import FnJoinResolver
from samcli.lib.cfn_language_extensions.resolvers.fn_ref import FnRefResolver
from samcli.lib.cfn_language_extensions.resolvers.fn_sub import FnSubResolver
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Resources that outlive a stack, by type, with the property that identifies one to CloudFormation.
KEPT = {"AWS::DynamoDB::Table": "TableName", "AWS::KMS::Key": "KeyId"}
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"


class Join(FnJoinResolver):
    """Keeps a join with parts that only CloudFormation can resolve. The library would write their Python form into the text."""

    def resolve(self, value):
        separator, parts = value["Fn::Join"]
        parts = self.parent.resolve_value(parts)
        return separator.join(parts) if all(isinstance(part, str) for part in parts) else {"Fn::Join": [separator, parts]}


class Sub(FnSubResolver):
    """Keeps a text with variables that only CloudFormation can resolve. The library would drop its Fn::Sub."""

    def resolve(self, value):
        text = value["Fn::Sub"]
        return value if "${" in str(text) else text


def template():
    """template.yaml with its loops expanded."""
    return without_loops(yaml_parse((ROOT / "template.yaml").read_text()))


def without_loops(template):
    """A template with its loops expanded, and with the intrinsic functions resolved that need no parameters. The library's
    default pipeline would also replace parameters by their defaults, and evaluate conditions with those."""
    context = TemplateProcessingContext(
        template, parameter_values={name: {"Ref": name} for name in template["Parameters"]}
    )
    resolver = IntrinsicResolver(context)
    for function in (FnFindInMapResolver, FnRefResolver, Join, Sub):
        resolver.register_resolver(function)
    steps = [TemplateParsingProcessor(), ForEachProcessor(resolver), IntrinsicResolverProcessor(resolver)]
    expanded = ProcessingPipeline(steps).process_template(context)
    # Its tables are no longer needed.
    del expanded["Mappings"]
    expanded["Transform"] = [name for name in expanded["Transform"] if name != LANGUAGE_EXTENSIONS]
    return expanded


def configured(environment, command):
    """An environment's parameters in samconfig.toml for a command of the SAM CLI."""
    return tomlkit.parse((ROOT / "samconfig.toml").read_text())[environment][command]["parameters"]


def name(environment):
    return str(configured(environment, "global")["stack_name"])


def exists(cloudformation, stack):
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return True
