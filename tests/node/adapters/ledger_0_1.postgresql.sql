CREATE TABLE public."case" (
    id bigint NOT NULL,
    pipeline character varying(64) NOT NULL,
    segmentation character varying(64) NOT NULL,
    study character varying(64) NOT NULL,
    ct_study character varying(64),
    ct_series character varying(64),
    state character varying(16) NOT NULL,
    reason text NOT NULL,
    code character varying(16) NOT NULL,
    remedy text NOT NULL,
    fence integer NOT NULL,
    attempt integer NOT NULL,
    owner character varying(128),
    lease_until timestamp without time zone,
    next_at timestamp without time zone,
    created_at timestamp without time zone NOT NULL,
    completed_at timestamp without time zone,
    inputs_seen character varying(64),
    updated_at timestamp without time zone NOT NULL,
    score json,
    notes json
);
CREATE SEQUENCE public.case_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.case_id_seq OWNED BY public."case".id;
CREATE TABLE public.commitment (
    delivery bigint NOT NULL,
    state character varying(16) NOT NULL,
    attempts integer NOT NULL,
    next_at timestamp without time zone NOT NULL,
    detail text NOT NULL
);
CREATE TABLE public.commitment_duty (
    id bigint NOT NULL,
    requester character varying(16) NOT NULL,
    transaction_uid character varying(64) NOT NULL,
    objects json NOT NULL,
    state character varying(16) NOT NULL,
    attempts integer NOT NULL,
    requested_at timestamp without time zone NOT NULL,
    next_at timestamp without time zone NOT NULL,
    detail text NOT NULL
);
CREATE SEQUENCE public.commitment_duty_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.commitment_duty_id_seq OWNED BY public.commitment_duty.id;
CREATE TABLE public.commitment_transaction (
    transaction_uid character varying(64) NOT NULL,
    destination character varying(40) NOT NULL,
    objects json NOT NULL,
    asked_at timestamp without time zone NOT NULL,
    answered_at timestamp without time zone,
    confirmed integer NOT NULL,
    denied integer NOT NULL
);
CREATE TABLE public.conflict (
    id bigint NOT NULL,
    sop_instance character varying(64) NOT NULL,
    path text NOT NULL,
    sha256 character varying(64) NOT NULL,
    calling_ae_title character varying(16) NOT NULL,
    received_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.conflict_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.conflict_id_seq OWNED BY public.conflict.id;
CREATE TABLE public.delivery (
    id bigint NOT NULL,
    result bigint NOT NULL,
    "case" bigint NOT NULL,
    destination character varying(40) NOT NULL,
    state character varying(16) NOT NULL,
    attempts integer NOT NULL,
    status integer,
    detail text NOT NULL,
    created_at timestamp without time zone NOT NULL,
    next_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.delivery_id_seq OWNED BY public.delivery.id;
CREATE TABLE public.event (
    id bigint NOT NULL,
    "case" bigint NOT NULL,
    at timestamp without time zone NOT NULL,
    event character varying(32) NOT NULL,
    state character varying(16) NOT NULL,
    detail text NOT NULL
);
CREATE SEQUENCE public.event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.event_id_seq OWNED BY public.event.id;
CREATE TABLE public.instance (
    sop_instance character varying(64) NOT NULL,
    sop_class character varying(64) NOT NULL,
    study character varying(64) NOT NULL,
    series character varying(64) NOT NULL,
    transfer_syntax character varying(64) NOT NULL,
    patient_key character varying(64) NOT NULL,
    modality character varying(16) NOT NULL,
    frame_of_reference character varying(64),
    frames integer NOT NULL,
    position_mm json,
    orientation json,
    localizer boolean NOT NULL,
    original boolean NOT NULL,
    frame_positions_mm json NOT NULL,
    referenced_series json NOT NULL,
    referenced_instances json NOT NULL,
    path text NOT NULL,
    size bigint NOT NULL,
    sha256 character varying(64) NOT NULL,
    calling_ae_title character varying(16) NOT NULL,
    called_ae_title character varying(16) NOT NULL,
    received_at timestamp without time zone NOT NULL
);
CREATE TABLE public.measurement (
    "case" bigint NOT NULL,
    lesion_number integer NOT NULL,
    tracking_uid character varying(64) NOT NULL,
    volume_ml double precision NOT NULL,
    features json NOT NULL,
    rejected json
);
CREATE TABLE public.order_lookup (
    "case" bigint NOT NULL,
    inputs_digest character varying(64) NOT NULL,
    path text,
    size bigint,
    sha256 character varying(64),
    detail text NOT NULL,
    at timestamp without time zone NOT NULL
);
CREATE TABLE public.procedure_step (
    sop_instance character varying(64) NOT NULL,
    state character varying(16) NOT NULL,
    transaction_uid character varying(64) NOT NULL,
    performer character varying(16) NOT NULL,
    dataset bytea NOT NULL,
    created_at timestamp without time zone NOT NULL,
    updated_at timestamp without time zone NOT NULL
);
CREATE TABLE public.refusal (
    calling_ae_title character varying(16) NOT NULL,
    code character varying(16) NOT NULL,
    times integer NOT NULL,
    last_at timestamp without time zone NOT NULL,
    last_detail text NOT NULL
);
CREATE TABLE public.refused_association (
    calling_ae_title character varying(16) NOT NULL,
    called_ae_title character varying(16) NOT NULL,
    address character varying(64) NOT NULL,
    why text NOT NULL,
    remedy text NOT NULL,
    times integer NOT NULL,
    last_at timestamp without time zone NOT NULL
);
CREATE TABLE public.result (
    id bigint NOT NULL,
    "case" bigint NOT NULL,
    current boolean NOT NULL,
    kind character varying(32) NOT NULL,
    lesion_number integer,
    sop_class character varying(64) NOT NULL,
    sop_instance character varying(64) NOT NULL,
    series character varying(64) NOT NULL,
    transfer_syntax character varying(64) NOT NULL,
    path text NOT NULL,
    size bigint NOT NULL,
    sha256 character varying(64) NOT NULL
);
CREATE SEQUENCE public.result_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.result_id_seq OWNED BY public.result.id;
CREATE TABLE public.retrieval (
    id bigint NOT NULL,
    "case" bigint NOT NULL,
    peer character varying(40) NOT NULL,
    at timestamp without time zone NOT NULL,
    instances integer NOT NULL,
    code character varying(16) NOT NULL,
    detail text NOT NULL
);
CREATE SEQUENCE public.retrieval_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.retrieval_id_seq OWNED BY public.retrieval.id;
CREATE TABLE public.schema_version (
    version integer NOT NULL
);
CREATE TABLE public.step_event (
    id bigint NOT NULL,
    receiving_ae_title character varying(16) NOT NULL,
    sop_instance character varying(64) NOT NULL,
    event_type integer NOT NULL,
    dataset bytea NOT NULL,
    attempts integer NOT NULL,
    next_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.step_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.step_event_id_seq OWNED BY public.step_event.id;
CREATE TABLE public.step_subscription (
    receiving_ae_title character varying(16) NOT NULL,
    sop_instance character varying(64) NOT NULL
);
CREATE TABLE public.step_task (
    board character varying(40) NOT NULL,
    sop_instance character varying(64) NOT NULL,
    transaction_uid character varying(64) NOT NULL,
    state character varying(16) NOT NULL,
    inputs json NOT NULL,
    "case" bigint,
    progress integer NOT NULL,
    detail text NOT NULL,
    cancel_requested boolean NOT NULL,
    claimed_at timestamp without time zone NOT NULL,
    updated_at timestamp without time zone NOT NULL
);
CREATE TABLE public.verification (
    "case" bigint NOT NULL,
    inputs character varying(64) NOT NULL,
    software_sha256 character varying(64) NOT NULL,
    software text NOT NULL,
    current boolean NOT NULL,
    why text NOT NULL,
    compared integer NOT NULL,
    lesions json NOT NULL,
    at timestamp without time zone NOT NULL
);
ALTER TABLE ONLY public."case" ALTER COLUMN id SET DEFAULT nextval('public.case_id_seq'::regclass);
ALTER TABLE ONLY public.commitment_duty ALTER COLUMN id SET DEFAULT nextval('public.commitment_duty_id_seq'::regclass);
ALTER TABLE ONLY public.conflict ALTER COLUMN id SET DEFAULT nextval('public.conflict_id_seq'::regclass);
ALTER TABLE ONLY public.delivery ALTER COLUMN id SET DEFAULT nextval('public.delivery_id_seq'::regclass);
ALTER TABLE ONLY public.event ALTER COLUMN id SET DEFAULT nextval('public.event_id_seq'::regclass);
ALTER TABLE ONLY public.result ALTER COLUMN id SET DEFAULT nextval('public.result_id_seq'::regclass);
ALTER TABLE ONLY public.retrieval ALTER COLUMN id SET DEFAULT nextval('public.retrieval_id_seq'::regclass);
ALTER TABLE ONLY public.step_event ALTER COLUMN id SET DEFAULT nextval('public.step_event_id_seq'::regclass);
INSERT INTO public."case" VALUES (1, 'test', '1.4.1.1', '1.2.1', '1.2.1', '1.2.1.1', 'delivered', '1 objects stored at PACS.', '', '', 1, 1, NULL, NULL, NULL, '2026-03-01 10:20:30.4', '2026-03-01 10:21:30', '4cf93381cd35e6e065dc5904f1ddef4c3c3927477b8bf44e87a1da43fa5cea7d', '2026-03-01 10:22:30.4', '{"model": "demo", "model_version": "1", "model_sha256": "abababababababababababababababababababababababababababababababab", "demonstration": true, "signature": 0.30000000000000004, "probability": 0.3333333333333333, "cut_off": 0.5, "outcome": "Responder", "lesion_number": 1}', '[{"code": "SEG-011", "detail": "No lesion: segment 2.", "remedy": "Nothing."}]');
INSERT INTO public."case" VALUES (2, 'test', '1.4.2.2', '1.2.2', NULL, NULL, 'rejected', 'The CT has not arrived.', 'SEG-001', 'Send it.', 0, 0, NULL, NULL, NULL, '2026-03-01 10:32:30.4', NULL, NULL, '2026-03-01 10:32:30.4', NULL, NULL);
INSERT INTO public.commitment VALUES (1, 'asked', 1, '2026-03-01 10:32:30.4', '');
INSERT INTO public.commitment_duty VALUES (1, 'CT1', '2.25.5', '[["1.2.840.10008.5.1.4.1.1.2", "1.2.1.1.1"]]', 'pending', 0, '2026-03-01 10:32:30.4', '2026-03-01 10:32:30.4', '');
INSERT INTO public.commitment_transaction VALUES ('2.25.99', 'PACS', '["2.25.178572431624386075428341035067312535633"]', '2026-03-01 10:22:30.4', NULL, 0, 0);
INSERT INTO public.conflict VALUES (1, '1.2.1.1.1', 'received/1.2.1.1.1', '35a07478e7f4d08596a5cf897e334ed2cf4caa502434e069eb3af55fd30a916b', 'SCANNER', '2026-03-01 10:32:30.4');
INSERT INTO public.delivery VALUES (1, 1, 1, 'PACS', 'delivered', 1, 0, '', '2026-03-01 10:22:30.4', '2026-03-01 10:22:30.4');
INSERT INTO public.event VALUES (1, 1, '2026-03-01 10:20:30.4', 'received', 'collecting', 'The segmentation has arrived.');
INSERT INTO public.event VALUES (2, 1, '2026-03-01 10:21:30.4', 'complete', 'queued', '2 slices.');
INSERT INTO public.event VALUES (3, 1, '2026-03-01 10:21:30.4', 'claimed', 'running', 'Attempt 1.');
INSERT INTO public.event VALUES (4, 1, '2026-03-01 10:22:30.4', 'reported', 'reported', '1 lesion.');
INSERT INTO public.event VALUES (5, 1, '2026-03-01 10:22:30.4', 'delivered', 'delivered', '1 objects stored at PACS.');
INSERT INTO public.event VALUES (6, 2, '2026-03-01 10:32:30.4', 'received', 'collecting', 'The segmentation has arrived.');
INSERT INTO public.event VALUES (7, 2, '2026-03-01 10:32:30.4', 'incomplete', 'rejected', 'SEG-001 The CT has not arrived.');
INSERT INTO public.event VALUES (8, 2, '2026-03-01 10:32:30.4', 'retrieval', 'rejected', 'NET-001 PACS cannot be reached.');
INSERT INTO public.event VALUES (9, 1, '2026-03-01 10:32:30.4', 'worklist', 'delivered', 'none');
INSERT INTO public.instance VALUES ('1.2.1.1.1', '1.2.840.10008.5.1.4.1.1.2', '1.2.1', '1.2.1.1', '1.2.840.10008.1.2.1', 'patient', 'CT', '1.3.1', 1, '[-16.0, -16.0, 2.0]', '[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]', false, false, '[]', '[]', '[]', 'received/1.2.1.1.1', 10, 'f88be0af086791c3c6064923534da9b155a55234af50fdac2c07c7a902d1ca7a', 'SCANNER', 'PULMONODE', '2026-03-01 10:20:30.4');
INSERT INTO public.instance VALUES ('1.2.1.1.2', '1.2.840.10008.5.1.4.1.1.2', '1.2.1', '1.2.1.1', '1.2.840.10008.1.2.1', 'patient', 'CT', '1.3.1', 1, '[-16.0, -16.0, 4.0]', '[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]', false, false, '[]', '[]', '[]', 'received/1.2.1.1.2', 10, 'c6c6a014869443bcd34a8cb2d32ee92946859e9aeadda3810f8b2b7f0f9b6c3c', 'SCANNER', 'PULMONODE', '2026-03-01 10:20:30.4');
INSERT INTO public.instance VALUES ('1.4.1.1', '1.2.840.10008.5.1.4.1.1.66.4', '1.2.1', '1.4.1', '1.2.840.10008.1.2.1', 'patient', 'SEG', '1.3.1', 1, 'null', 'null', false, false, '[]', '["1.2.1.1"]', '[]', 'received/1.4.1.1', 8, '7f54c3a0db74ca9f8f29f7a3eced0eb11a2f09e09a44a0fca4591aa8695f0405', 'SCANNER', 'PULMONODE', '2026-03-01 10:20:30.4');
INSERT INTO public.instance VALUES ('1.4.2.2', '1.2.840.10008.5.1.4.1.1.66.4', '1.2.2', '1.4.2', '1.2.840.10008.1.2.1', 'patient', 'SEG', '1.3.2', 1, 'null', 'null', false, false, '[]', '["1.2.2.1"]', '[]', 'received/1.4.2.2', 8, 'b22418cfe85308a276d8421f96738ab0bcd1b3e34a9534d12eb2d37f806b2959', 'SCANNER', 'PULMONODE', '2026-03-01 10:32:30.4');
INSERT INTO public.measurement VALUES (1, 1, '2.25.7', 1.5, '{"original_shape_MeshVolume": "0.30000000000000004"}', 'null');
INSERT INTO public.order_lookup VALUES (1, 'abababababababababababababababababababababababababababababababab', NULL, NULL, NULL, 'none', '2026-03-01 10:32:30.4');
INSERT INTO public.refusal VALUES ('CT1', 'RCV-001', 1, '2026-03-01 10:32:30.4', 'Malformed.');
INSERT INTO public.result VALUES (1, 1, true, 'sr', NULL, '1.2.840.10008.5.1.4.1.1.88.34', '2.25.178572431624386075428341035067312535633', '1.5.1', '1.2.840.10008.1.2.1', 'received/1-sr-', 6, '96d63ebe0f989c22430beba41f99927e3a2d829d75947759a0745672a045da68');
INSERT INTO public.retrieval VALUES (1, 2, 'PACS', '2026-03-01 10:32:30.4', 0, 'NET-001', 'PACS cannot be reached.');
INSERT INTO public.schema_version VALUES (2);
SELECT pg_catalog.setval('public.case_id_seq', 2, true);
SELECT pg_catalog.setval('public.commitment_duty_id_seq', 1, true);
SELECT pg_catalog.setval('public.conflict_id_seq', 1, true);
SELECT pg_catalog.setval('public.delivery_id_seq', 1, true);
SELECT pg_catalog.setval('public.event_id_seq', 9, true);
SELECT pg_catalog.setval('public.result_id_seq', 1, true);
SELECT pg_catalog.setval('public.retrieval_id_seq', 1, true);
SELECT pg_catalog.setval('public.step_event_id_seq', 1, false);
ALTER TABLE ONLY public."case"
    ADD CONSTRAINT case_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public."case"
    ADD CONSTRAINT case_segmentation_pipeline_key UNIQUE (segmentation, pipeline);
ALTER TABLE ONLY public.commitment_duty
    ADD CONSTRAINT commitment_duty_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.commitment_duty
    ADD CONSTRAINT commitment_duty_requester_transaction_uid_key UNIQUE (requester, transaction_uid);
ALTER TABLE ONLY public.commitment
    ADD CONSTRAINT commitment_pkey PRIMARY KEY (delivery);
ALTER TABLE ONLY public.commitment_transaction
    ADD CONSTRAINT commitment_transaction_pkey PRIMARY KEY (transaction_uid);
ALTER TABLE ONLY public.conflict
    ADD CONSTRAINT conflict_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.conflict
    ADD CONSTRAINT conflict_sop_instance_sha256_key UNIQUE (sop_instance, sha256);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_result_destination_key UNIQUE (result, destination);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (sop_instance);
ALTER TABLE ONLY public.measurement
    ADD CONSTRAINT measurement_pkey PRIMARY KEY ("case", lesion_number);
ALTER TABLE ONLY public.order_lookup
    ADD CONSTRAINT order_lookup_pkey PRIMARY KEY ("case");
ALTER TABLE ONLY public.procedure_step
    ADD CONSTRAINT procedure_step_pkey PRIMARY KEY (sop_instance);
ALTER TABLE ONLY public.refusal
    ADD CONSTRAINT refusal_pkey PRIMARY KEY (calling_ae_title, code);
ALTER TABLE ONLY public.refused_association
    ADD CONSTRAINT refused_association_pkey PRIMARY KEY (calling_ae_title, called_ae_title, address);
ALTER TABLE ONLY public.result
    ADD CONSTRAINT result_case_sop_instance_key UNIQUE ("case", sop_instance);
ALTER TABLE ONLY public.result
    ADD CONSTRAINT result_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.retrieval
    ADD CONSTRAINT retrieval_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.step_event
    ADD CONSTRAINT step_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.step_subscription
    ADD CONSTRAINT step_subscription_pkey PRIMARY KEY (receiving_ae_title, sop_instance);
ALTER TABLE ONLY public.step_task
    ADD CONSTRAINT step_task_pkey PRIMARY KEY (board, sop_instance);
ALTER TABLE ONLY public.verification
    ADD CONSTRAINT verification_pkey PRIMARY KEY ("case", inputs, software_sha256);
CREATE INDEX case_ct_series ON public."case" USING btree (ct_series);
CREATE INDEX case_state ON public."case" USING btree (state);
CREATE INDEX commitment_duty_due ON public.commitment_duty USING btree (state, next_at);
CREATE INDEX commitment_state ON public.commitment USING btree (state, next_at);
CREATE INDEX delivery_case ON public.delivery USING btree ("case");
CREATE INDEX delivery_due ON public.delivery USING btree (destination, state, next_at);
CREATE INDEX event_case ON public.event USING btree ("case");
CREATE INDEX instance_series ON public.instance USING btree (series);
CREATE INDEX instance_study ON public.instance USING btree (study);
CREATE INDEX procedure_step_state ON public.procedure_step USING btree (state);
CREATE INDEX refused_association_last ON public.refused_association USING btree (last_at);
CREATE INDEX retrieval_case ON public.retrieval USING btree ("case");
CREATE INDEX step_event_due ON public.step_event USING btree (next_at);
CREATE INDEX step_task_state ON public.step_task USING btree (state);
CREATE INDEX verification_software ON public.verification USING btree (software_sha256);
ALTER TABLE ONLY public."case"
    ADD CONSTRAINT case_segmentation_fkey FOREIGN KEY (segmentation) REFERENCES public.instance(sop_instance);
ALTER TABLE ONLY public.commitment
    ADD CONSTRAINT commitment_delivery_fkey FOREIGN KEY (delivery) REFERENCES public.delivery(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_case_fkey FOREIGN KEY ("case") REFERENCES public."case"(id);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_result_fkey FOREIGN KEY (result) REFERENCES public.result(id);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_case_fkey FOREIGN KEY ("case") REFERENCES public."case"(id);
ALTER TABLE ONLY public.measurement
    ADD CONSTRAINT measurement_case_fkey FOREIGN KEY ("case") REFERENCES public."case"(id);
ALTER TABLE ONLY public.order_lookup
    ADD CONSTRAINT order_lookup_case_fkey FOREIGN KEY ("case") REFERENCES public."case"(id);
ALTER TABLE ONLY public.result
    ADD CONSTRAINT result_case_fkey FOREIGN KEY ("case") REFERENCES public."case"(id);
ALTER TABLE ONLY public.retrieval
    ADD CONSTRAINT retrieval_case_fkey FOREIGN KEY ("case") REFERENCES public."case"(id);
ALTER TABLE ONLY public.step_task
    ADD CONSTRAINT step_task_case_fkey FOREIGN KEY ("case") REFERENCES public."case"(id);
