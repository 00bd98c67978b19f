// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlpreceive

import (
	"mime"
	"net/http"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// contentType returns the content type of a request without its parameters.
func contentType(q *http.Request) string {
	t, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// write answers in the encoding of the request.
func write(w http.ResponseWriter, q *http.Request, code int, body []byte) {
	w.Header().Set("Content-Type", contentType(q))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(body) // The exporter may have gone.
}

// emptyAnswer returns an answer that has only default values: everything was accepted.
func emptyAnswer(q *http.Request) []byte {
	if contentType(q) == typeJSON {
		return []byte("{}")
	}
	return nil
}

func answerProto(answer ptraceotlp.ExportResponse) ([]byte, error) { return answer.MarshalProto() }

func answerJSON(answer ptraceotlp.ExportResponse) ([]byte, error) { return answer.MarshalJSON() }
