// Package k8s checks the manifests beside it as a cluster would: it builds each overlay with kustomize's own library, decodes
// every object strictly into the Kubernetes API's types, judges the pods by the Pod Security admission's own rules, and follows
// every name from where it is used to where it is declared.
//
// It is a module of its own, because the server shall not carry Kubernetes' dependencies; `make test-k8s` and `make test` run
// it. What the settings in the manifests mean to Kadr is checked by the tests of internal/config.
package k8s
