// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package report

import "go.opentelemetry.io/otel/attribute"

// The attributes of waybill's spans that reports read; docs/attributes.md lists all.
const (
	processKind       = attribute.Key("waybill.process.kind")
	queueDuration     = attribute.Key("waybill.queue.duration")
	lateReason        = attribute.Key("waybill.late.reason")
	lateProbability   = attribute.Key("waybill.late.probability")
	fanoutWeight      = attribute.Key("waybill.fanout.weight")
	fanoutProbability = attribute.Key("waybill.fanout.probability")
	fanoutSize        = attribute.Key("waybill.fanout.size")
	fanoutSampled     = attribute.Key("waybill.fanout.sampled")
	fanoutBudget      = attribute.Key("waybill.fanout.budget")
	fanoutRefused     = attribute.Key("waybill.fanout.refused")
	fanoutShed        = attribute.Key("waybill.fanout.shed")
)
