BEGIN TRANSACTION;
CREATE TABLE "case" (
	id INTEGER NOT NULL, 
	pipeline VARCHAR(64) NOT NULL, 
	segmentation VARCHAR(64) NOT NULL, 
	study VARCHAR(64) NOT NULL, 
	ct_study VARCHAR(64), 
	ct_series VARCHAR(64), 
	state VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	code VARCHAR(16) NOT NULL, 
	remedy TEXT NOT NULL, 
	fence INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	owner VARCHAR(128), 
	lease_until DATETIME, 
	next_at DATETIME, 
	created_at DATETIME NOT NULL, 
	completed_at DATETIME, 
	inputs_seen VARCHAR(64), 
	updated_at DATETIME NOT NULL, 
	score JSON, 
	notes JSON, 
	PRIMARY KEY (id), 
	UNIQUE (segmentation, pipeline), 
	FOREIGN KEY(segmentation) REFERENCES instance (sop_instance)
);
INSERT INTO "case" VALUES(1,'test','1.4.1.1','1.2.1','1.2.1','1.2.1.1','delivered','1 objects stored at PACS.','','',1,1,NULL,NULL,NULL,'2026-03-01 10:20:30.400000','2026-03-01 10:21:30.000000','4cf93381cd35e6e065dc5904f1ddef4c3c3927477b8bf44e87a1da43fa5cea7d','2026-03-01 10:22:30.400000','{"model": "demo", "model_version": "1", "model_sha256": "abababababababababababababababababababababababababababababababab", "demonstration": true, "signature": 0.30000000000000004, "probability": 0.3333333333333333, "cut_off": 0.5, "outcome": "Responder", "lesion_number": 1}','[{"code": "SEG-011", "detail": "No lesion: segment 2.", "remedy": "Nothing."}]');
INSERT INTO "case" VALUES(2,'test','1.4.2.2','1.2.2',NULL,NULL,'rejected','The CT has not arrived.','SEG-001','Send it.',0,0,NULL,NULL,NULL,'2026-03-01 10:32:30.400000',NULL,NULL,'2026-03-01 10:32:30.400000',NULL,NULL);
CREATE TABLE commitment (
	delivery INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_at DATETIME NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (delivery), 
	FOREIGN KEY(delivery) REFERENCES delivery (id) ON DELETE CASCADE
);
INSERT INTO "commitment" VALUES(1,'asked',1,'2026-03-01 10:32:30.400000','');
CREATE TABLE commitment_duty (
	id INTEGER NOT NULL, 
	requester VARCHAR(16) NOT NULL, 
	transaction_uid VARCHAR(64) NOT NULL, 
	objects JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	requested_at DATETIME NOT NULL, 
	next_at DATETIME NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (requester, transaction_uid)
);
INSERT INTO "commitment_duty" VALUES(1,'CT1','2.25.5','[["1.2.840.10008.5.1.4.1.1.2", "1.2.1.1.1"]]','pending',0,'2026-03-01 10:32:30.400000','2026-03-01 10:32:30.400000','');
CREATE TABLE commitment_transaction (
	transaction_uid VARCHAR(64) NOT NULL, 
	destination VARCHAR(40) NOT NULL, 
	objects JSON NOT NULL, 
	asked_at DATETIME NOT NULL, 
	answered_at DATETIME, 
	confirmed INTEGER NOT NULL, 
	denied INTEGER NOT NULL, 
	PRIMARY KEY (transaction_uid)
);
INSERT INTO "commitment_transaction" VALUES('2.25.99','PACS','["2.25.178572431624386075428341035067312535633"]','2026-03-01 10:22:30.400000',NULL,0,0);
CREATE TABLE "conflict" (
	id INTEGER NOT NULL, 
	sop_instance VARCHAR(64) NOT NULL, 
	path TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	calling_ae_title VARCHAR(16) NOT NULL, 
	received_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (sop_instance, sha256)
);
INSERT INTO "conflict" VALUES(1,'1.2.1.1.1','received/1.2.1.1.1','35a07478e7f4d08596a5cf897e334ed2cf4caa502434e069eb3af55fd30a916b','SCANNER','2026-03-01 10:32:30.400000');
CREATE TABLE delivery (
	id INTEGER NOT NULL, 
	result INTEGER NOT NULL, 
	"case" INTEGER NOT NULL, 
	destination VARCHAR(40) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	status INTEGER, 
	detail TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	next_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (result, destination), 
	FOREIGN KEY(result) REFERENCES result (id), 
	FOREIGN KEY("case") REFERENCES "case" (id)
);
INSERT INTO "delivery" VALUES(1,1,1,'PACS','delivered',1,0,'','2026-03-01 10:22:30.400000','2026-03-01 10:22:30.400000');
CREATE TABLE event (
	id INTEGER NOT NULL, 
	"case" INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	event VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY("case") REFERENCES "case" (id)
);
INSERT INTO "event" VALUES(1,1,'2026-03-01 10:20:30.400000','received','collecting','The segmentation has arrived.');
INSERT INTO "event" VALUES(2,1,'2026-03-01 10:21:30.400000','complete','queued','2 slices.');
INSERT INTO "event" VALUES(3,1,'2026-03-01 10:21:30.400000','claimed','running','Attempt 1.');
INSERT INTO "event" VALUES(4,1,'2026-03-01 10:22:30.400000','reported','reported','1 lesion.');
INSERT INTO "event" VALUES(5,1,'2026-03-01 10:22:30.400000','delivered','delivered','1 objects stored at PACS.');
INSERT INTO "event" VALUES(6,2,'2026-03-01 10:32:30.400000','received','collecting','The segmentation has arrived.');
INSERT INTO "event" VALUES(7,2,'2026-03-01 10:32:30.400000','incomplete','rejected','SEG-001 The CT has not arrived.');
INSERT INTO "event" VALUES(8,2,'2026-03-01 10:32:30.400000','retrieval','rejected','NET-001 PACS cannot be reached.');
INSERT INTO "event" VALUES(9,1,'2026-03-01 10:32:30.400000','worklist','delivered','none');
CREATE TABLE instance (
	sop_instance VARCHAR(64) NOT NULL, 
	sop_class VARCHAR(64) NOT NULL, 
	study VARCHAR(64) NOT NULL, 
	series VARCHAR(64) NOT NULL, 
	transfer_syntax VARCHAR(64) NOT NULL, 
	patient_key VARCHAR(64) NOT NULL, 
	modality VARCHAR(16) NOT NULL, 
	frame_of_reference VARCHAR(64), 
	frames INTEGER NOT NULL, 
	position_mm JSON, 
	orientation JSON, 
	localizer BOOLEAN NOT NULL, 
	original BOOLEAN NOT NULL, 
	frame_positions_mm JSON NOT NULL, 
	referenced_series JSON NOT NULL, 
	referenced_instances JSON NOT NULL, 
	path TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	calling_ae_title VARCHAR(16) NOT NULL, 
	called_ae_title VARCHAR(16) NOT NULL, 
	received_at DATETIME NOT NULL, 
	PRIMARY KEY (sop_instance)
);
INSERT INTO "instance" VALUES('1.2.1.1.1','1.2.840.10008.5.1.4.1.1.2','1.2.1','1.2.1.1','1.2.840.10008.1.2.1','patient','CT','1.3.1',1,'[-16.0, -16.0, 2.0]','[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]',0,0,'[]','[]','[]','received/1.2.1.1.1',10,'f88be0af086791c3c6064923534da9b155a55234af50fdac2c07c7a902d1ca7a','SCANNER','PULMONODE','2026-03-01 10:20:30.400000');
INSERT INTO "instance" VALUES('1.2.1.1.2','1.2.840.10008.5.1.4.1.1.2','1.2.1','1.2.1.1','1.2.840.10008.1.2.1','patient','CT','1.3.1',1,'[-16.0, -16.0, 4.0]','[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]',0,0,'[]','[]','[]','received/1.2.1.1.2',10,'c6c6a014869443bcd34a8cb2d32ee92946859e9aeadda3810f8b2b7f0f9b6c3c','SCANNER','PULMONODE','2026-03-01 10:20:30.400000');
INSERT INTO "instance" VALUES('1.4.1.1','1.2.840.10008.5.1.4.1.1.66.4','1.2.1','1.4.1','1.2.840.10008.1.2.1','patient','SEG','1.3.1',1,'null','null',0,0,'[]','["1.2.1.1"]','[]','received/1.4.1.1',8,'7f54c3a0db74ca9f8f29f7a3eced0eb11a2f09e09a44a0fca4591aa8695f0405','SCANNER','PULMONODE','2026-03-01 10:20:30.400000');
INSERT INTO "instance" VALUES('1.4.2.2','1.2.840.10008.5.1.4.1.1.66.4','1.2.2','1.4.2','1.2.840.10008.1.2.1','patient','SEG','1.3.2',1,'null','null',0,0,'[]','["1.2.2.1"]','[]','received/1.4.2.2',8,'b22418cfe85308a276d8421f96738ab0bcd1b3e34a9534d12eb2d37f806b2959','SCANNER','PULMONODE','2026-03-01 10:32:30.400000');
CREATE TABLE measurement (
	"case" INTEGER NOT NULL, 
	lesion_number INTEGER NOT NULL, 
	tracking_uid VARCHAR(64) NOT NULL, 
	volume_ml FLOAT NOT NULL, 
	features JSON NOT NULL, 
	rejected JSON, 
	PRIMARY KEY ("case", lesion_number), 
	FOREIGN KEY("case") REFERENCES "case" (id)
);
INSERT INTO "measurement" VALUES(1,1,'2.25.7',1.5,'{"original_shape_MeshVolume": "0.30000000000000004"}','null');
CREATE TABLE order_lookup (
	"case" INTEGER NOT NULL, 
	inputs_digest VARCHAR(64) NOT NULL, 
	path TEXT, 
	size BIGINT, 
	sha256 VARCHAR(64), 
	detail TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY ("case"), 
	FOREIGN KEY("case") REFERENCES "case" (id)
);
INSERT INTO "order_lookup" VALUES(1,'abababababababababababababababababababababababababababababababab',NULL,NULL,NULL,'none','2026-03-01 10:32:30.400000');
CREATE TABLE procedure_step (
	sop_instance VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	transaction_uid VARCHAR(64) NOT NULL, 
	performer VARCHAR(16) NOT NULL, 
	dataset BLOB NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY (sop_instance)
);
CREATE TABLE refusal (
	calling_ae_title VARCHAR(16) NOT NULL, 
	code VARCHAR(16) NOT NULL, 
	times INTEGER NOT NULL, 
	last_at DATETIME NOT NULL, 
	last_detail TEXT NOT NULL, 
	PRIMARY KEY (calling_ae_title, code)
);
INSERT INTO "refusal" VALUES('CT1','RCV-001',1,'2026-03-01 10:32:30.400000','Malformed.');
CREATE TABLE refused_association (
	calling_ae_title VARCHAR(16) NOT NULL, 
	called_ae_title VARCHAR(16) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	why TEXT NOT NULL, 
	remedy TEXT NOT NULL, 
	times INTEGER NOT NULL, 
	last_at DATETIME NOT NULL, 
	PRIMARY KEY (calling_ae_title, called_ae_title, address)
);
CREATE TABLE result (
	id INTEGER NOT NULL, 
	"case" INTEGER NOT NULL, 
	current BOOLEAN NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	lesion_number INTEGER, 
	sop_class VARCHAR(64) NOT NULL, 
	sop_instance VARCHAR(64) NOT NULL, 
	series VARCHAR(64) NOT NULL, 
	transfer_syntax VARCHAR(64) NOT NULL, 
	path TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE ("case", sop_instance), 
	FOREIGN KEY("case") REFERENCES "case" (id)
);
INSERT INTO "result" VALUES(1,1,1,'sr',NULL,'1.2.840.10008.5.1.4.1.1.88.34','2.25.178572431624386075428341035067312535633','1.5.1','1.2.840.10008.1.2.1','received/1-sr-',6,'96d63ebe0f989c22430beba41f99927e3a2d829d75947759a0745672a045da68');
CREATE TABLE retrieval (
	id INTEGER NOT NULL, 
	"case" INTEGER NOT NULL, 
	peer VARCHAR(40) NOT NULL, 
	at DATETIME NOT NULL, 
	instances INTEGER NOT NULL, 
	code VARCHAR(16) NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY("case") REFERENCES "case" (id)
);
INSERT INTO "retrieval" VALUES(1,2,'PACS','2026-03-01 10:32:30.400000',0,'NET-001','PACS cannot be reached.');
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE step_event (
	id INTEGER NOT NULL, 
	receiving_ae_title VARCHAR(16) NOT NULL, 
	sop_instance VARCHAR(64) NOT NULL, 
	event_type INTEGER NOT NULL, 
	dataset BLOB NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE step_subscription (
	receiving_ae_title VARCHAR(16) NOT NULL, 
	sop_instance VARCHAR(64) NOT NULL, 
	PRIMARY KEY (receiving_ae_title, sop_instance)
);
CREATE TABLE step_task (
	board VARCHAR(40) NOT NULL, 
	sop_instance VARCHAR(64) NOT NULL, 
	transaction_uid VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	inputs JSON NOT NULL, 
	"case" INTEGER, 
	progress INTEGER NOT NULL, 
	detail TEXT NOT NULL, 
	cancel_requested BOOLEAN NOT NULL, 
	claimed_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY (board, sop_instance), 
	FOREIGN KEY("case") REFERENCES "case" (id)
);
CREATE TABLE verification (
	"case" INTEGER NOT NULL, 
	inputs VARCHAR(64) NOT NULL, 
	software_sha256 VARCHAR(64) NOT NULL, 
	software TEXT NOT NULL, 
	current BOOLEAN NOT NULL, 
	why TEXT NOT NULL, 
	compared INTEGER NOT NULL, 
	lesions JSON NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY ("case", inputs, software_sha256)
);
CREATE INDEX instance_series ON instance (series);
CREATE INDEX instance_study ON instance (study);
CREATE INDEX verification_software ON verification (software_sha256);
CREATE INDEX procedure_step_state ON procedure_step (state);
CREATE INDEX step_event_due ON step_event (next_at);
CREATE INDEX commitment_duty_due ON commitment_duty (state, next_at);
CREATE INDEX refused_association_last ON refused_association (last_at);
CREATE INDEX case_state ON "case" (state);
CREATE INDEX case_ct_series ON "case" (ct_series);
CREATE INDEX event_case ON event ("case");
CREATE INDEX step_task_state ON step_task (state);
CREATE INDEX retrieval_case ON retrieval ("case");
CREATE INDEX delivery_case ON delivery ("case");
CREATE INDEX delivery_due ON delivery (destination, state, next_at);
CREATE INDEX commitment_state ON commitment (state, next_at);
COMMIT;
