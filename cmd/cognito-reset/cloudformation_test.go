package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cognito-reset/cmd/cognito-reset/internal/exit"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// templates are the examples of CloudFormation, with the policies that the role of
// the task is made of.
var templates = map[string][]string{
	"batch.yaml":         {"reset", "record"},
	"ecs-scheduled.yaml": {"reset", "record"}, // but for an input, which it has not
}

// A template is one of CloudFormation.
type template struct {
	*testing.T
	name  string
	known map[string]string // what names stand for: parameters, resources and what AWS gives
	parts map[string]any    // resources, with every name resolved
}

var substitute = regexp.MustCompile(`\$\{([\w:.]+)\}`)

func readTemplate(t *testing.T, name string) template {
	t.Helper()
	file, err := parser.ParseFile("../../examples/aws/"+name, 0)
	if err != nil {
		t.Fatal(err)
	}
	tpl := template{T: t, name: name, known: map[string]string{"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}}
	sections := make(map[string]ast.Node)
	for pair := file.Docs[0].Body.(ast.MapNode).MapRange(); pair.Next(); {
		sections[pair.Key().String()] = pair.Value()
	}
	for parameter, is := range tpl.resolve(sections["Parameters"]).(map[string]any) {
		tpl.known[parameter] = fmt.Sprint(is.(map[string]any)["Default"])
	}
	for resource := sections["Resources"].(ast.MapNode).MapRange(); resource.Next(); {
		tpl.known[resource.Key().String()] = resource.Key().String()
	}
	tpl.parts = tpl.resolve(sections["Resources"]).(map[string]any)
	return tpl
}

// resolve is what a node stands for. A name that is nowhere defined is an error.
func (t template) resolve(n ast.Node) any {
	t.Helper()
	switch n := n.(type) {
	case *ast.TagNode:
		text := fmt.Sprint(t.resolve(n.Value))
		switch n.Start.Value {
		case "!Ref":
			return t.lookUp(text)
		case "!GetAtt":
			resource, attribute, _ := strings.Cut(text, ".")
			return t.lookUp(resource) + "." + attribute
		case "!Sub":
			return substitute.ReplaceAllStringFunc(text, func(v string) string { return t.lookUp(strings.Trim(v, "${}")) })
		}
		t.Fatalf("%s: no function %s", t.name, n.Start.Value)
	case ast.MapNode:
		members := make(map[string]any)
		for pair := n.MapRange(); pair.Next(); {
			members[strings.Trim(pair.Key().String(), `"`)] = t.resolve(pair.Value())
		}
		return members
	case *ast.SequenceNode:
		var list []any
		for _, n := range n.Values {
			list = append(list, t.resolve(n))
		}
		return list
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

func (t template) lookUp(name string) string {
	value, ok := t.known[name]
	if !ok {
		t.Errorf("%s: %s is not defined", t.name, name)
	}
	return value
}

// get decodes a part of the template.
func (t template) get(to any, path ...string) {
	t.Helper()
	var part any = t.parts
	for _, name := range path {
		if list, ok := part.([]any); ok {
			i, _ := strconv.Atoi(name)
			part = list[i]
			continue
		}
		part = part.(map[string]any)[name]
	}
	text, err := json.Marshal(part)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatalf("%s: %s: %v", t.name, path, err)
	}
}

// policy is what the role of the task allows.
func (t template) policy() (all []statement) {
	var policies []struct {
		PolicyDocument struct{ Statement []statement }
	}
	t.get(&policies, "TaskRole", "Properties", "Policies")
	for _, p := range policies {
		all = append(all, p.PolicyDocument.Statement...)
	}
	return all
}

// The roles of the templates allow what the policies beside them do, and no more.
func TestRolesOfTheTemplatesAreThePolicies(t *testing.T) {
	actions := func(policy []statement) (all []string) {
		for _, s := range policy {
			if !strings.Contains(s.Resource, "/input/") {
				all = append(all, s.Action...)
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	for name, policies := range templates {
		if got, want := actions(readTemplate(t, name).policy()), actions(policyOf(t, policies...)); !slices.Equal(got, want) {
			t.Errorf("%s allows %q, and the policies %q", name, got, want)
		}
	}
}

// An array job of AWS Batch resets each user once, and a child that is tried again
// goes on with its run. Each exit code is treated by the contract.
func TestArrayJobOfAWSBatch(t *testing.T) {
	t.Parallel()
	tpl := readTemplate(t, "batch.yaml")
	var job struct {
		Parameters    map[string]string
		RetryStrategy struct {
			EvaluateOnExit []struct{ OnExitCode, Action string }
		}
		ContainerProperties struct {
			Command                []string
			ReadonlyRootFilesystem string
		}
	}
	tpl.get(&job, "JobDefinition", "Properties")
	if job.ContainerProperties.ReadonlyRootFilesystem != "true" {
		t.Error("the container can be written to")
	}
	for code, want := range map[int]string{exit.Failed: "RETRY", exit.Usage: "EXIT", exit.SomeFailed: "EXIT", exit.Stopped: "RETRY", 130: "RETRY", 137: "RETRY", 143: "RETRY"} {
		got := "RETRY" // where nothing fits
		for _, rule := range job.RetryStrategy.EvaluateOnExit {
			if fits, _ := path.Match(rule.OnExitCode, strconv.Itoa(code)); fits {
				got = rule.Action
				break
			}
		}
		if got != want {
			t.Errorf("exit code %d leads to %s, not %s", code, got, want)
		}
	}
	c := newCloud(t, tpl.policy())
	command := []string{"cognito-reset"}
	for _, arg := range job.ContainerProperties.Command {
		if parameter, ok := strings.CutPrefix(arg, "Ref::"); ok {
			arg = job.Parameters[parameter]
		}
		command = append(command, arg)
	}
	shards, _ := strconv.Atoi(tpl.known["Shards"])
	for attempt := range 2 {
		for shard := range shards {
			said, code := c.run(command, []string{
				fmt.Sprint("AWS_BATCH_JOB_ARRAY_INDEX=", shard), fmt.Sprint("AWS_BATCH_JOB_ARRAY_SIZE=", shards), fmt.Sprint("AWS_BATCH_JOB_ATTEMPT=", attempt+1),
			})
			if code != exit.Done && code != exit.SomeFailed || attempt == 1 && !strings.Contains(said, "This run is finished") {
				t.Errorf("child %d ended with %d:\n%s", shard, code, said)
			}
		}
	}
	c.checkReset(true)
}

// A task of ECS that the schedule starts resets whom the rotation means; a second
// start for the same time resets nobody.
func TestScheduledTaskOfECS(t *testing.T) {
	t.Parallel()
	tpl := readTemplate(t, "ecs-scheduled.yaml")
	var task struct {
		EntryPoint, Command    []string
		ReadonlyRootFilesystem string
	}
	tpl.get(&task, "TaskDefinition", "Properties", "ContainerDefinitions", "0")
	if task.ReadonlyRootFilesystem != "true" {
		t.Error("the container can be written to")
	}
	var overrides string
	tpl.get(&overrides, "Schedule", "Properties", "Target", "Input")
	var input struct {
		ContainerOverrides []struct {
			Environment []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(overrides, "<aws.scheduler.scheduled-time>", "2026-07-01T02:00:00Z")), &input); err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, e := range input.ContainerOverrides[0].Environment {
		env = append(env, e.Name+"="+e.Value)
	}
	c := newCloud(t, tpl.policy())
	for i, want := range []int{exit.SomeFailed, exit.Usage} {
		if said, code := c.run(slices.Concat(task.EntryPoint, task.Command), env); code != want {
			t.Errorf("start %d ended with %d:\n%s", i+1, code, said)
		}
	}
	c.checkReset(false)
}

// CloudFormation takes the templates, by what its linter knows of it.
func TestTemplatesPassTheLinter(t *testing.T) {
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("cfn-lint is not installed, so the templates are only resolved")
	}
	for name := range templates {
		cmd := exec.Command(lint, "../../examples/aws/"+name)
		cmd.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
