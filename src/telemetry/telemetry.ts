/** The face of telemetry: what devices tell, and what is known from it. */
export type { DeviceFrame, FrameAdapter, FrameOutcome, FrameRefusal, Quantity, Reading } from "./frames/frame.ts";
export { QUANTITIES } from "./frames/frame.ts";
export { makeGatewayDoor } from "./doors/gateway.mqtt.ts";
export { gatewayUser, startBrokerGateway, type BrokerGateway } from "./broker/broker-gateway.jobs.ts";
export { makeBrokerAuthDoor } from "./broker/broker-auth.http.ts";
export { makeMetricsDoor } from "./doors/metrics.http.ts";
export { makeTakeover } from "./doors/takeover.jobs.ts";
export { makeIngestCounters } from "./ingest/counters.ts";
export { makeDataFormats, type DataFormats } from "./ingest/data-formats.queries.ts";
export {
  IngestFull,
  makeIngest,
  type Heard,
  type Ingest,
  type Taken,
  type TakenFrame,
} from "./ingest/ingest.commands.ts";
export { makePartitionKeeper, type PartitionKeeper } from "./ingest/partitions.jobs.ts";
export {
  makeReadings,
  type QuarantinedFrame,
  type Readings,
  type StoredEvent,
  type StoredReading,
} from "./ingest/readings.queries.ts";
export { makeFrameReader } from "./frames/frame-reader.ts";
export type { FrameReader, FrameReaderSettings } from "./frames/frame-reader.ts";
export { judgeFreshness } from "./metrics/freshness.ts";
export { parseDataFormat } from "./metrics/data-format.ts";
export type { DataFormatAnswer } from "./metrics/data-format.ts";
export { buildAnswer, type AnswerContent, type AnswerOrder } from "./metrics/answer.ts";
export { writeReadings } from "./metrics/simple-form.ts";
export { makeBirths, type Births } from "./frames/sparkplug-births.ts";
export { makeFleet, type Fleet } from "./states/fleet.queries.ts";
export {
  COMMAND_DAYS,
  makeFleetReports,
  type BatteryShare,
  type FleetReport,
  type FleetReports,
} from "./states/report.queries.ts";
export { makeDeviceWatch, type DeviceNews, type DeviceWatch } from "./states/watch.jobs.ts";
export { makePlaceSync } from "./states/places.jobs.ts";
export type { Liveness } from "./states/liveness.ts";
export type {
  BatteryLevel,
  FleetDevice,
  FleetFilter,
  FleetSummary,
  MapSquare,
  PlaceFacts,
  PlaceSource,
} from "./states/fleet-device.ts";
export type { Bounds } from "./states/tiles.ts";
export { makeAlertCommands, type AlertCommands } from "./alerts/alerts.commands.ts";
export { makeAlertQueries, type AlertQueries, type RuleView } from "./alerts/alerts.queries.ts";
export { makeAlertSteps } from "./alerts/alerts.jobs.ts";
export { makeAlertLoop, type AlertLoop } from "./alerts/loop.jobs.ts";
export { makeTelling } from "./alerts/telling.jobs.ts";
export type { AlertReader } from "./alerts/telling.store.ts";
export type { AlertMessage } from "./alerts/telling.ts";
export type { Alert, AlertChange, AlertFilter, AlertNews, AlertState } from "./alerts/alert.ts";
export { DEFINITIONS as RULE_DEFINITIONS, RULES, type Rule, type RuleSettings } from "./alerts/rules.ts";
export { makeBatteryCommands, type BatteryCommands } from "./battery/battery.commands.ts";
export {
  makeBatteryQueries,
  type BatteryFilter,
  type BatteryHealth,
  type BatteryQueries,
  type BatteryWeek,
  type FleetBatteries,
  type ModelBattery,
} from "./battery/battery.queries.ts";
export { FAILURE_REASONS, SIZINGS } from "./battery/reasons.ts";
export { makeBatteryReckoning } from "./battery/battery.jobs.ts";
export { bindAnew, NotOurHistory } from "./history/binding.client.ts";
export { whyOtherNumbers } from "./history/numbering.ts";
export { LockLost, readBookmark, readFinal, takeLock, type Bookmark } from "./history/bookmark.store.ts";
export { askForDays, countOpenDays, heldDays } from "./history/fill.store.ts";
export { makeFollower, type Follower } from "./history/follower.jobs.ts";
export { connectLink } from "./history/link.store.ts";
export type { Point } from "./history/down-sample.ts";
export type { Figure, Grain, RolledQuantity, Rollup } from "./history/rollup.ts";
export { ROLLED } from "./history/rollup.ts";
export { makeRollupQueries, type FleetDay, type RollupQueries, type RollupQuery } from "./history/rollup.queries.ts";
export { makeSeriesQueries, type Series, type SeriesQueries, type SeriesQuery } from "./history/series.queries.ts";
