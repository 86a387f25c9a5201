//! Kafka and the Kafka endpoint of Event Hubs, through librdkafka.
