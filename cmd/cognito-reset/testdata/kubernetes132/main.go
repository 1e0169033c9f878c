// Command kubernetes132 reads manifests as API servers of Kubernetes 1.32 do: a field
// that they do not know is an error, and so is one that they demand. It is a module of
// its own, for the tool's tests know the current version.
package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	failed := false
	for _, name := range os.Args[1:] {
		text, err := os.ReadFile(name)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for _, document := range strings.Split(string(text), "\n---\n") {
			if err := check([]byte(document)); err != nil {
				fmt.Printf("%s: %v\n", name, err)
				failed = true
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}

// check reads one document.
func check(document []byte) error {
	var given map[string]any
	if err := yaml.Unmarshal(document, &given); err != nil {
		return err
	}
	into, ok := map[any]any{"ServiceAccount": new(corev1.ServiceAccount), "Job": new(batchv1.Job), "CronJob": new(batchv1.CronJob)}[given["kind"]]
	if !ok {
		return fmt.Errorf("%v is no kind that is known here", given["kind"])
	}
	if err := yaml.UnmarshalStrict(document, into); err != nil {
		return err
	}
	return required(reflect.TypeOf(into), given, "")
}

// required is an error if a document leaves out a field that the schema demands: one
// whose type does not say omitempty.
func required(t reflect.Type, given any, path string) error {
	switch t.Kind() {
	case reflect.Pointer:
		return required(t.Elem(), given, path)
	case reflect.Slice:
		list, _ := given.([]any)
		for i, element := range list {
			if err := required(t.Elem(), element, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		members, ok := given.(map[string]any)
		for i := range t.NumField() {
			field := t.Field(i)
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			value, there := members[name]
			if ok && !there && !strings.Contains(options, "omitempty") {
				return fmt.Errorf("%s.%s: required value", path, name)
			}
			if there {
				if err := required(field.Type, value, path+"."+name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
